import { mkdtemp, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './run.ts';

/** Size of the writable disk of an environment, bytes; sparse, so an empty one costs about 6 MB. */
export const DATA_DISK_BYTES = 10 * 1024 ** 3;

/**
 * Makes the formatted, empty base of all writable disks: a sparse raw file with an ext4 file system. The guest's init makes the
 * folders in it (overlay upper and work, workspace with its owner), so no root is needed here. Written beside and moved into place.
 *
 * No journal: a guest that dies is restored from its archive, never repaired from this disk.
 */
export async function makeDataDisk(path: string, bytes = DATA_DISK_BYTES, signal?: AbortSignal): Promise<void> {
  const scratch = await mkdtemp(join(dirname(path), '.data-disk-'));
  try {
    const file = join(scratch, 'disk');
    const handle = await open(file, 'w');
    await handle.truncate(bytes);
    await handle.close();
    await run(['mke2fs', '-q', '-F', '-t', 'ext4', '-O', '^has_journal,^resize_inode', '-m', '0', '-b', '4096', '-L', 'vessel-data', '-E', 'lazy_itable_init=1,nodiscard', file], { what: 'Formatting the data disk', signal });
    await rename(file, path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
