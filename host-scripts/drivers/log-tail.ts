import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf } from '../system/errno.ts';

/** Enough for the longest tail that is asked for, never a whole log. */
export const TAIL_BYTES = 512 * 1024;

/** Console bytes that would steer a terminal: colours and other control characters are of no use in a log. */
const CONTROL = /\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** A machine may write to the folder of its forwarder's log: a link or a pipe that it puts there instead is no log. */
const AS_IT_IS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The last lines of a log file, oldest first; none when there is no such file. */
export async function logTail(path: string, lines: number): Promise<readonly string[]> {
  try {
    const file = await open(path, AS_IT_IS);
    try {
      const found = await file.stat();
      if (!found.isFile()) return [];
      const { size } = found;
      const length = Math.min(size, TAIL_BYTES);
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
      const all = buffer.toString('utf8').replace(CONTROL, '').split('\n').filter((line) => line.trim() !== '');
      return all.slice(-lines);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}
