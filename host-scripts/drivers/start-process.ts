import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Stream } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import { identifyProcess } from '../system/process-identity.ts';
import type { ProcessIdentity } from '../system/process-identity.ts';
import type { RunUser } from '../system/run-user.ts';

export type DetachedOptions = {
  readonly argv: readonly [string, ...string[]];
  /** From descriptor 0 on: a number is inherited, `pipe` is a socket pair whose other end is `child.stdio[n]`. */
  readonly stdio: readonly ('ignore' | 'pipe' | number | Stream)[];
  /** The whole environment: nothing of ours leaks to a machine. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs as this user when given; the agent must then be root. */
  readonly user: RunUser | null;
  readonly cwd: string;
};
export type Detached = { readonly child: ChildProcess; readonly identity: ProcessIdentity };

/**
 * Starts a program as the leader of its own session, so that it outlives this agent and a signal to the agent's terminal.
 * Throws VM_START_FAILED when it cannot be started.
 */
export async function startDetached(options: DetachedOptions): Promise<Detached> {
  const [program, ...args] = options.argv;
  const child = spawn(program, args, {
    detached: true, stdio: [...options.stdio], env: { ...options.env }, cwd: options.cwd,
    ...(options.user === null ? {} : { uid: options.user.uid, gid: options.user.gid }),
  });
  if (child.pid === undefined) {
    const [error] = await once(child, 'error') as [Error];
    throw new VesselError('VM_START_FAILED', `${program} cannot be started: ${error.message}`, { cause: error });
  }
  // The agent may end while the machine lives on.
  child.unref();
  const identity = await identifyProcess(child.pid);
  if (identity === null) throw new VesselError('VM_START_FAILED', `${program} ended at once`);
  return { child, identity };
}
