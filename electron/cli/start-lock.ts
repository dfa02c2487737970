import { mkdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import { runDirectory } from '#shared/paths.ts';

const POLL_MS = 40;
const SQLITE_BUSY = 5;

/**
 * Only one process at a time may start the server of a home.
 *
 * The lock is SQLite's on an empty database: the kernel drops it when its holder dies, so there is no stale lock to judge,
 * and it works on every platform. Throws SERVER_START_FAILED when it is not free within `deadlineMs`.
 */
export async function takeStartLock(home: string, deadlineMs: number): Promise<Disposable> {
  mkdirSync(runDirectory(home), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(`${runDirectory(home)}/start.lock`, { timeout: 0 });
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    try {
      database.exec('BEGIN EXCLUSIVE');
      return { [Symbol.dispose]: () => database.close() };
    } catch (error) {
      if ((error as { readonly errcode?: number }).errcode !== SQLITE_BUSY) {
        database.close();
        throw error;
      }
      if (Date.now() > deadline) {
        database.close();
        throw new VesselError('SERVER_START_FAILED', 'Another command has been starting Vessel for too long', { cause: error });
      }
      await sleep(POLL_MS);
    }
  }
}
