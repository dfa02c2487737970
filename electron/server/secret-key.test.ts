import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { readSecretKey } from './secret-key.ts';

const hex = 'ab'.repeat(32);

it('reads the key from the first line, in whatever pieces it comes', async () => {
  expect((await readSecretKey(Readable.from([hex.slice(0, 10), hex.slice(10), '\nmore']))).toString('hex')).toBe(hex);
});

it.each([[''], ['\n'], [hex.slice(2)], [`${hex}00\n`], ['x'.repeat(1000)]])('refuses what is no key and does not repeat it', async (text) => {
  const error: unknown = await readSecretKey(Readable.from([text])).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'BAD_REQUEST' });
  if (text.trim() !== '') expect(JSON.stringify(error)).not.toContain(text.trim());
});
