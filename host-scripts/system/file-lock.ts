import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { errnoOf } from './errno.ts';
import { hostBootId, identifyProcess, isAlive } from './process-identity.ts';

const HolderSchema = z.object({ pid: z.number(), startTicks: z.number(), bootId: z.string() });
const POLL_MS = 50;

/** The holder writes its name right after making the file; a file that stays empty longer belongs to a process that died in between. */
const NAMELESS_GRACE_MS = 2_000;

async function holderLives(path: string): Promise<boolean> {
  try {
    const holder = HolderSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return holder.success && holder.data.bootId === await hostBootId() && await isAlive(holder.data);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return false;
    throw error;
  }
}

async function tryTake(path: string): Promise<boolean> {
  const self = await identifyProcess(process.pid);
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(JSON.stringify({ ...self, bootId: await hostBootId() }));
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Takes a dead lock away; puts it back when another waiter had already replaced it by a living one. */
async function bury(path: string): Promise<void> {
  const grave = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await rename(path, grave);
    if (await holderLives(grave)) await link(grave, path);
  } catch (error) {
    // ENOENT: another waiter buried it first. EEXIST: a third took the lock meanwhile; the loop looks again either way.
    if (!['ENOENT', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
  } finally {
    await rm(grave, { force: true });
  }
}

/**
 * Runs `work` while no other process does so under the same lock file. The lock of a process that died (kill -9 included) is
 * taken over. Rejects with CANCELLED when `signal` fires while waiting.
 */
export async function withFileLock<T>(path: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  let deadSince: number | null = null;
  while (!await tryTake(path)) {
    if (signal?.aborted === true) throw new VesselError('CANCELLED');
    if (await holderLives(path)) deadSince = null;
    else if (deadSince === null) deadSince = Date.now();
    else if (Date.now() - deadSince > NAMELESS_GRACE_MS) await bury(path);
    await delay(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

/** True while a living process holds the lock. */
export async function isLocked(path: string): Promise<boolean> {
  return holderLives(path);
}
