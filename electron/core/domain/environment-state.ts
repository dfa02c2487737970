import { VesselError } from '#shared/errors.ts';
import type { EnvironmentState } from '#shared/project.ts';

/**
 * Which state may follow which. `stopping → running` is the way back after a failed save: the VM is kept and the route
 * opens again. `destroying` is only entered once the work is verified or its loss was confirmed, so a crash there may
 * always finish the destruction. `error → running` re-adopts a VM that turned out to be alive, `error → hibernated` one that its host put to sleep.
 */
export const TRANSITIONS: Readonly<Record<EnvironmentState, readonly EnvironmentState[]>> = {
  requested: ['starting', 'destroying', 'error'],
  starting: ['running', 'stopping', 'destroying', 'error'],
  running: ['stopping', 'destroying', 'hibernated', 'error'],
  stopping: ['running', 'destroying', 'hibernated', 'error'],
  destroying: ['destroyed', 'error'],
  destroyed: ['requested'],
  error: ['requested', 'running', 'hibernated', 'destroying', 'destroyed'],
  hibernated: ['starting', 'running', 'destroying', 'error'],
};

/** States in which a VM may exist on the host. */
export const LIVE_STATES: ReadonlySet<EnvironmentState> = new Set(['requested', 'starting', 'running', 'stopping', 'destroying', 'hibernated']);

export function canMove(from: EnvironmentState | null, to: EnvironmentState): boolean {
  return from === null ? to === 'requested' : TRANSITIONS[from].includes(to);
}

/** Throws ILLEGAL_TRANSITION when `to` may not follow `from` (null: there is no environment yet). */
export function assertMove(from: EnvironmentState | null, to: EnvironmentState): void {
  if (canMove(from, to)) return;
  throw new VesselError('ILLEGAL_TRANSITION', `An environment that is ${from ?? 'absent'} cannot become ${to}`, { details: { from, to } });
}
