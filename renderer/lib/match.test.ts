import { expect, it } from 'vitest';
import { matchScore } from './match.ts';

it('finds every word of the query and nothing else', () => {
  expect(matchScore('Open Shop API', 'api open')).toBeGreaterThan(0);
  expect(matchScore('Open Shop API', 'open page')).toBe(0);
});

it('puts the start of a word before its middle, and the shorter text first', () => {
  expect(matchScore('Open Shop', 'sh')).toBeGreaterThan(matchScore('Finish it', 'sh'));
  expect(matchScore('Settings', 'set')).toBeGreaterThan(matchScore('Settings of Shop API', 'set'));
});
