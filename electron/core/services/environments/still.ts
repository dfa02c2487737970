import { VesselError } from '#shared/errors.ts';
import type { StoppedProgram } from '#shared/contract.ts';
import type { GuestProgram, GuestPrograms } from '#shared/guest-protocol.ts';
import type { GuestClient } from '../../ports/guest.ts';
import type { StepContext } from '../operations/definition.ts';
import type { EnvironmentContext } from './environment-context.ts';
import type { SaveState } from './save-steps.ts';

/** Databases write what they hold in memory, servers finish what they answer; what ignores the request must not keep a person waiting. */
const END_WAIT_MS = 5_000;
/** Ten lines a second are seen in this time, and a person does not notice it. */
const WATCH_MS = 300;
/** A desktop that is gone lets go after this; while it is there it says so three times as often. */
const LEASE_MS = 30_000;
const KEEP_MS = LEASE_MS / 3;
/** Something inside that writes without pause must not keep us here for ever. */
export const MAX_SAVES = 4;
/** For the end of the machine: an infra-agent that died is started anew first. */
export const LAST_LEASE_MS = 600_000;
const RELEASE_MS = 20_000;
const SHOWN = 5;

/**
 * How Save & Exit treats what runs inside. `end`: asks it to end, and holds the rest still. `refuse`: leaves it alone, and refuses while something writes. `idle`: asks what
 * is quiet to end, and refuses while something writes.
 */
export type ProgramPolicy = 'end' | 'refuse' | 'idle';

/** A save that ends the machine. */
export type CloseState = SaveState & {
  readonly policy: ProgramPolicy;
  /** What was asked to end or is held still, for the result, the log and an error. */
  stopped: StoppedProgram[];
  /** The hold under which the last save must have read; null when nothing is held. */
  hold: number | null;
  /** Ends the repetition that keeps the hold up. */
  letLapse: () => void;
};

export const newCloseState = (state: SaveState, policy: ProgramPolicy): CloseState => ({ ...state, policy, stopped: [], hold: null, letLapse: () => undefined });

/** An agent of an older image does not know these calls: its environment is closed as it always was. */
async function unlessOld<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (VesselError.from(error).code === 'NOT_FOUND') return null;
    throw error;
  }
}

const nameOf = ({ pid, command }: Pick<GuestProgram, 'pid' | 'command'>): string => `${command} (${pid})`;

/** Programs in one line, with what they wrote. */
export function listPrograms(programs: readonly { readonly pid: number; readonly command: string; readonly wrote: readonly string[] }[]): string {
  const names = programs.slice(0, SHOWN).map((one) => `${nameOf(one)}${one.wrote.length === 0 ? '' : `, which writes ${one.wrote.join(', ')}`}`);
  return names.join('; ') + (programs.length > SHOWN ? ` and ${programs.length - SHOWN} more` : '');
}

/** What writes, as far as it could be seen. */
function writers({ programs, changing }: GuestPrograms): string {
  const suspects = programs.filter(({ wrote }) => wrote.length > 0);
  const files = changing.length === 0 ? '' : ` (${changing.join(', ')})`;
  return `${files}${programs.length === 0 ? '' : `. Running: ${listPrograms(suspects.length > 0 ? suspects : programs)}`}`;
}

/** The error for what writes and is not to be stopped, or cannot be. */
export async function stillWriting(client: GuestClient, policy: ProgramPolicy, saves: number, signal: AbortSignal): Promise<VesselError> {
  const seen = await unlessOld(client.programs(WATCH_MS, { signal })) ?? { programs: [], changing: [] };
  return conflict(seen, `: after ${saves} saves there are still new changes`, policy);
}

function conflict(seen: GuestPrograms, after: string, policy: ProgramPolicy): VesselError {
  const hint = policy === 'refuse' ? 'Wait until it is done, or close without --keep-running: Save & Exit then stops it and saves what it wrote.' : 'Stop what is writing in the environment, then Save & Exit again.';
  return new VesselError('CONFLICT', `Something inside keeps changing files${after}${writers(seen)}`, { hint, retryable: true, details: { changing: seen.changing, programs: seen.programs } });
}

/**
 * The step before the last save: what a person runs is asked to end, so that it can write what it holds; what goes on is held still. Nothing runs: nothing is done. Throws CONFLICT
 * when something writes that is not to be stopped.
 */
export async function settlePrograms(context: EnvironmentContext, step: StepContext<CloseState>): Promise<string> {
  const { state, signal, log } = step;
  const { client } = context.live.get(state.projectId);
  if (state.policy !== 'end') {
    const seen = await unlessOld(client.programs(WATCH_MS, { signal }));
    if (seen !== null && seen.changing.length > 0) throw conflict(seen, '', state.policy);
    if (state.policy === 'refuse') return seen === null || seen.programs.length === 0 ? 'Nothing runs' : `Nothing writes. Running: ${listPrograms(seen.programs)}`;
  }
  const told = await unlessOld(client.endPrograms(END_WAIT_MS, { signal }));
  if (told === null) return 'This image does not tell what runs';
  state.stopped = told.programs.map(({ pid, command, wrote, how }) => ({ pid, command, wrote: [...wrote], how: how === 'ended' ? 'ended' : 'held' }));
  context.runtime.fault('close.programs-asked');
  const ended = state.stopped.filter(({ how }) => how === 'ended');
  const held = state.stopped.filter(({ how }) => how === 'held');
  if (ended.length > 0) log(`Ended when asked: ${listPrograms(ended)}`);
  if (held.length === 0) return ended.length === 0 ? 'Nothing runs' : `${countOf(ended.length)} ended`;
  log(`Did not end within ${END_WAIT_MS / 1000} s: ${listPrograms(held)}`, 'warn');
  const isStill = await holdStill(context, step);
  return `${ended.length} ended, ${held.length} ${isStill ? 'held still' : 'still running'}`;
}

const countOf = (count: number): string => (count === 1 ? '1 program' : `${count} programs`);

/**
 * Holds the workspace still, so that the next save reads what nothing can change. Goes on until {@link letGo}, the end of the machine, or the end of this process. False when
 * the guest cannot: then the saves have to catch up with what writes.
 */
export async function holdStill(context: EnvironmentContext, { state, signal, log }: StepContext<CloseState>): Promise<boolean> {
  const { client } = context.live.get(state.projectId);
  state.letLapse();
  try {
    const { hold } = await client.holdStill(LEASE_MS, { signal });
    context.runtime.fault('close.held');
    state.hold = hold;
  } catch (error) {
    const known = VesselError.from(error);
    if (signal.aborted || known.code === 'GUEST_UNREACHABLE') throw known;
    log(`The workspace cannot be held still: ${known.message}`, 'warn');
    return false;
  }
  // A repetition that fails is no harm: the next one follows, and a hold that lapsed is noticed before anything relies on it.
  const timer = setInterval(() => { client.holdStill(LEASE_MS).catch((error: unknown) => context.runtime.log(`hold ${state.projectId}: ${VesselError.from(error).message}`)); }, KEEP_MS);
  state.letLapse = () => clearInterval(timer);
  return true;
}

/** For the end of the machine, which may take longer than a hold lasts: nothing may begin to write again that nobody will save. */
export async function holdToTheEnd(context: EnvironmentContext, { state, signal }: Pick<StepContext<CloseState>, 'state' | 'signal'>): Promise<void> {
  state.letLapse();
  if (state.hold === null) return;
  const { hold } = await context.live.get(state.projectId).client.holdStill(LAST_LEASE_MS, { signal });
  if (hold !== state.hold) throw new VesselError('CONFLICT', 'The workspace was not held still until the end', { hint: 'Save & Exit again: the environment was kept.', retryable: true });
}

/** After a failure: everything goes on that still can. When the guest does not answer, its own clock ends the hold. */
export async function letGo(context: EnvironmentContext, state: CloseState, log: StepContext<CloseState>['log']): Promise<void> {
  state.letLapse();
  const live = context.live.find(state.projectId);
  if (state.hold === null || live === null) return;
  state.hold = null;
  try {
    await live.client.release({ signal: AbortSignal.timeout(RELEASE_MS) });
  } catch (error) {
    log(`What was held still goes on by itself within ${LEASE_MS / 1000} s: ${VesselError.from(error).message}`, 'warn');
  }
}

/** A failure after programs were ended says so: they do not come back by themselves. */
export function withStopped(error: VesselError, state: CloseState): VesselError {
  const ended = state.stopped.filter(({ how }) => how === 'ended');
  if (ended.length === 0) return error;
  const told = `Ended and not started again: ${listPrograms(ended)}.`;
  return new VesselError(error.code, error.message, { cause: error, hint: `${error.hint} ${told}`.trim(), retryable: error.retryable, details: { ...error.details, stopped: state.stopped }, logTail: error.logTail });
}
