import { mkdirSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { runDirectory } from '#shared/paths.ts';

const SQLITE_BUSY = 5;

/**
 * One Vessel per home. The lock is SQLite's on an empty database: the kernel drops it when its holder dies in whatever way,
 * so there is no stale lock to judge. Null when another process holds it.
 */
export function takeHomeLock(home: string): Disposable | null {
  mkdirSync(runDirectory(home), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(`${runDirectory(home)}/server.lock`, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return { [Symbol.dispose]: () => database.close() };
  } catch (error) {
    database.close();
    if ((error as { readonly errcode?: number }).errcode === SQLITE_BUSY) return null;
    throw error;
  }
}
