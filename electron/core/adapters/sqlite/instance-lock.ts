import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { VesselError } from '#shared/errors.ts';
import { ensurePrivateFile, ensurePrivateFolder } from '../files/private-folder.ts';

export type InstanceLock = { release(): void };
type Holder = { readonly pid: number; readonly startedAt: string };

/**
 * One Vessel per home. The lock is SQLite's exclusive file lock, which the kernel drops when the process dies however it
 * dies, so a stale lock cannot exist and a reused pid cannot fool it. Beside it `vessel.pid` tells people who holds it
 * (pid and start time). Throws ALREADY_RUNNING with both in the details.
 */
export function lockHome(home: string): InstanceLock {
  ensurePrivateFolder(home);
  ensurePrivateFile(join(home, 'vessel.lock'));
  const holderPath = join(home, 'vessel.pid');
  const lock = new DatabaseSync(join(home, 'vessel.lock'), { timeout: 0 });
  try {
    lock.exec('PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { readonly errcode?: unknown }).errcode !== SQLITE_BUSY) throw error;
    const holder = readHolder(holderPath);
    throw new VesselError('ALREADY_RUNNING', holder === null ? undefined : `Vessel already runs with this home as process ${holder.pid}`, { details: { home, ...holder } });
  }
  const me: Holder = { pid: process.pid, startedAt: new Date(Date.now() - Math.round(process.uptime() * 1000)).toISOString() };
  writeFileSync(holderPath, `${JSON.stringify(me)}\n`, { mode: 0o600 });
  let held = true;
  return { release: () => { if (held) { held = false; lock.close(); } } };
}

const SQLITE_BUSY = 5;

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    // The holder is written right after the lock is taken; only the message suffers in between.
    return null;
  }
}
