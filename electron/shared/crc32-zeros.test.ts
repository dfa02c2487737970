import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { crc32Zeros } from './crc32-zeros.ts';

test('zeros that are only counted give the CRC of zeros that are read', () => {
  for (const zeros of [0, 1, 2, 7, 4095, 4096, 1_000_003, 1 << 22]) {
    for (const before of ['', 'x', 'some data before']) expect(crc32Zeros(crc32(before), zeros), `${before} and ${zeros}`).toBe(crc32(Buffer.alloc(zeros), crc32(before)));
  }
  const half = crc32Zeros(crc32('x'), 5 * 2 ** 32);
  expect(crc32Zeros(half, 5 * 2 ** 32)).toBe(crc32Zeros(crc32('x'), 10 * 2 ** 32));
});
