import { stat } from 'node:fs/promises';
import { errnoOf } from './errno.ts';

/** Throws what the file system says when it cannot tell (no permission on the way, a broken disk). */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
