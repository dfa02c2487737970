import { expect, it } from 'vitest';
import { ERROR_CODES } from '#shared/errors.ts';
import { evidenceOf, printable } from './evidence.ts';

it('says lists in one line, places as file and line, and leaves out what is empty', () => {
  expect(evidenceOf({ offered: ['publickey', 'password'], tried: [], stillWanted: ['password'], port: 2222, notes: null, places: [{ file: '/home/ada/.ssh/known_hosts', line: 4, type: 'ssh-ed25519' }] })).toEqual([
    { name: 'offered', value: 'publickey, password' }, { name: 'still wanted', value: 'password' }, { name: 'port', value: '2222' },
    { name: 'places', value: '/home/ada/.ssh/known_hosts:4 (ssh-ed25519)' },
  ]);
});

it('shows no text that could move a cursor or turn the reading direction', () => {
  expect(printable('Code\u001b[2J:\r\nsecond \u202eline')).toBe('Code[2J:\nsecond line');
});

it('has a text and a fix for every way in which reaching a host can fail', () => {
  const codes = Object.entries(ERROR_CODES).filter(([code]) => /^(SSH_|HOST_KEY_|FORWARDING_|SUDO_|SHELL_)/.test(code));
  expect(codes.length).toBeGreaterThanOrEqual(18);
  for (const [code, { title, hint }] of codes) expect(Math.min(title.length, hint.length), code).toBeGreaterThan(10);
});
