import { setTimeout as sleep } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import { isAlive } from './process-alive.ts';
import type { Session } from './session.ts';

/** A clean end flushes the database and tells the agents; that takes moments. */
const END_DEADLINE_MS = 20_000;
const POLL_MS = 30;

/**
 * Asks the running Vessel to end and waits until its process is gone. False when none ran. With `force` also while
 * environments run, and a process that does not go is killed. Throws BUSY (from Vessel) or TIMEOUT.
 */
export async function stopServer(session: Session, force: boolean): Promise<boolean> {
  const connection = await session.connectIfRunning();
  if (connection === null) return false;
  const { pid } = await connection.client.call('app.info', {});
  try {
    await connection.client.call('app.quit', { force });
  } catch (error) {
    // It may be gone before its answer is; what counts is that it goes.
    if (!(error instanceof VesselError) || error.code !== 'SERVER_UNREACHABLE') throw error;
  }
  if (await isGone(pid, END_DEADLINE_MS)) return true;
  if (!force) throw new VesselError('TIMEOUT', `Vessel (pid ${pid}) has not ended within ${END_DEADLINE_MS / 1000} s`, { hint: 'Look at its log, or use `vessel quit --force`.', details: { pid } });
  process.kill(pid, 'SIGKILL');
  return isGone(pid, END_DEADLINE_MS);
}

async function isGone(pid: number, deadlineMs: number): Promise<boolean> {
  const deadline = Date.now() + deadlineMs;
  while (isAlive(pid)) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
