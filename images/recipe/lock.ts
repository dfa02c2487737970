import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VesselError } from '#shared/errors.ts';

/**
 * Runs `work` while this process alone holds the lock file; others wait.
 *
 * The kernel's own lock (flock): it goes with its process, so a builder that was killed leaves nothing to clean up. The helper keeps
 * the lock for as long as its standard input is open, which ends with this process too. Throws CANCELLED when aborted while waiting.
 */
export async function withLock<T>(path: string, signal: AbortSignal | undefined, onWait: () => void, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  await mkdir(dirname(path), { recursive: true });
  closeSync(openSync(path, 'a'));
  const holder = spawn('flock', ['--no-fork', path, 'sh', '-c', 'echo held; exec cat >/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = setTimeout(onWait, 1000);
  const abort = (): void => { holder.kill('SIGTERM'); };
  signal?.addEventListener('abort', abort, { once: true });
  const ended = new Promise<void>((resolve) => { holder.once('close', () => resolve()); });
  try {
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once('data', () => resolve());
      holder.once('error', (error) => reject(new VesselError('PROVISION_FAILED', `Cannot lock ${path}: ${error.message}`, { cause: error })));
      holder.once('close', () => reject(signal?.aborted === true ? new VesselError('CANCELLED') : new VesselError('PROVISION_FAILED', `Cannot lock ${path}`)));
    });
    clearTimeout(waiting);
    // From here on the lock outlives an abort until the work has cleaned up after itself.
    signal?.removeEventListener('abort', abort);
    return await work();
  } finally {
    clearTimeout(waiting);
    signal?.removeEventListener('abort', abort);
    holder.stdin.destroy();
    if (holder.pid !== undefined) await ended;
  }
}
