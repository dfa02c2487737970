import { describe, expect, it } from 'vitest';
import { fingerprintGroups, judgeTyped } from './fingerprint.ts';

const SHOWN = 'SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s';
const OTHER = 'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU';

describe('what confirms a fingerprint', () => {
  it.each([
    ['', 'empty'], ['  ', 'empty'], ['y', 'unfinished'], ['no', 'unfinished'], ['SHA256:uNiVztks', 'unfinished'],
    ['yes', 'confirmed'], [' YES ', 'confirmed'], [SHOWN, 'confirmed'], [`${SHOWN}=`, 'confirmed'], [SHOWN.slice(7), 'confirmed'],
    [`256 ${SHOWN} root@build (ED25519)`, 'confirmed'], [OTHER, 'different'], [`256 ${OTHER} root@build (ED25519)`, 'different'],
    [SHOWN.toLowerCase(), 'unfinished'], [`SHA256:${SHOWN.slice(7).toLowerCase()}`, 'different'],
  ])('%j is %s', (typed, verdict) => expect(judgeTyped(typed, SHOWN)).toBe(verdict));
});

it('groups change nothing but the spaces', () => {
  expect(`SHA256:${fingerprintGroups(SHOWN).join('')}`).toBe(SHOWN);
  expect(fingerprintGroups(SHOWN)).toHaveLength(6);
});
