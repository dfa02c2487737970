import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from './errno.ts';
import { isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** A killed process disappears within milliseconds; a second means it hangs in the kernel (a dead disk, say). */
const GONE_DEADLINE_MS = 5_000;
const GONE_POLL_MS = 5;

function signal(target: number, name: NodeJS.Signals): void {
  try {
    process.kill(target, name);
  } catch (error) {
    // ESRCH: it ended by itself between the check and the signal, which is what was wanted.
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

/**
 * Ends exactly this process and the process group it leads, and waits until it is gone.
 *
 * A pid that now belongs to another process is left alone. Resolves to whether there was anything to end; rejects when the
 * process survives SIGKILL for {@link GONE_DEADLINE_MS}.
 */
export async function endProcess(identity: ProcessIdentity): Promise<boolean> {
  if (!await isAlive(identity)) return false;
  // Ours are started as leaders of their own group; one that was not yet is reached by its pid.
  signal(-identity.pid, 'SIGKILL');
  signal(identity.pid, 'SIGKILL');
  const deadline = Date.now() + GONE_DEADLINE_MS;
  while (await isAlive(identity)) {
    if (Date.now() > deadline) throw new Error(`process ${identity.pid} survives SIGKILL`);
    await delay(GONE_POLL_MS);
  }
  return true;
}
