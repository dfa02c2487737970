import { open } from 'node:fs/promises';
import { errnoOf } from '../system/errno.ts';
import { TAIL_BYTES } from './log-tail.ts';

/** A console is written by the guest, and a guest that writes without end must not fill its host's disk. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Leaves of a log that has grown past {@link MOST_BYTES} what `logTail` reads. Whoever writes it goes on at its new end, because these
 * files are opened for appending; what is written while its end is copied may be lost.
 */
export async function boundLog(path: string, mostBytes = MOST_BYTES): Promise<void> {
  try {
    const file = await open(path, 'r+');
    try {
      const { size } = await file.stat();
      if (size <= mostBytes) return;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, size - TAIL_BYTES);
      await file.truncate(0);
      await file.write(buffer, 0, bytesRead, 0);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
