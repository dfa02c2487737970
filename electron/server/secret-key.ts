import type { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';

/** 32 bytes as hex and a line end. */
const MAX_CHARACTERS = 80;

/** The key on the first line of `input`. Throws BAD_REQUEST when none comes, without repeating what came. */
export async function readSecretKey(input: Readable): Promise<Buffer> {
  let text = '';
  for await (const chunk of input) {
    text += String(chunk);
    if (text.includes('\n') || text.length > MAX_CHARACTERS) break;
  }
  const line = text.split('\n')[0]?.trim() ?? '';
  if (!/^[0-9a-f]{64}$/.test(line)) throw new VesselError('BAD_REQUEST', 'The first line of the standard input is no key for secrets');
  return Buffer.from(line, 'hex');
}
