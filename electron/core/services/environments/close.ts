import { VesselError } from '#shared/errors.ts';
import type { StepContext, StepDefinition } from '../operations/definition.ts';
import type { StartedOperation } from '../operations/operations.ts';
import { wakeStep } from './asleep.ts';
import { nameDeath } from './death.ts';
import { destroyVm } from './destroy.ts';
import type { EnvironmentContext } from './environment-context.ts';
import { saveOnce, saveResult, saveSteps } from './save-steps.ts';
import { foundChanges, isAsleep, requireRunning, saveStateOf } from './save.ts';
import { holdStill, holdToTheEnd, letGo, MAX_SAVES, newCloseState, settlePrograms, stillWriting, withStopped, type CloseState, type ProgramPolicy } from './still.ts';

/** VS Code writes an edit to disk one second after the last key; whoever was typing just now is given that second. */
const EDITOR_FLUSH_MS = 1_200;
/** Why and how an environment is ended. */
export type CloseOptions = { readonly reason: 'exit' | 'idle'; /** Refuses while something inside writes, instead of stopping it. */ readonly keepRunning: boolean };

/**
 * Save & Exit. The route closes first, so that nobody types into a workspace that is being saved for the last time; programs inside are
 * asked to end, and what goes on writing is held still. The VM dies only when its change counter still is that of a verified revision.
 * When anything fails, the VM is kept, what was held goes on, and the route opens again.
 */
export function closeEnvironment(context: EnvironmentContext, projectId: string, { reason, keepRunning }: CloseOptions): StartedOperation {
  const policy: ProgramPolicy = reason === 'idle' ? 'idle' : keepRunning ? 'refuse' : 'end';
  const project = context.records.project(projectId);
  const active = context.operations.active(projectId, null);
  // An end that was decided and got stuck is only finished: what was to be saved is.
  const ending = context.records.find(projectId)?.state === 'destroying';
  const sleeps = isAsleep(context, projectId);
  if (active?.kind !== 'close' && !ending && !sleeps) requireRunning(context, projectId);
  return context.operations.start<CloseState>({
    kind: 'close', title: reason === 'idle' ? `Save and stop idle ${project.name}` : `Save & Exit ${project.name}`, projectId, hostId: project.hostId, cancellable: true,
    request: { call: 'environments.close', input: { projectId, keepRunning } },
    // A running autosave is no reason to refuse: it is awaited, and what it saved need not be saved again.
    after: active?.kind === 'save' ? active.id : null,
    state: newCloseState({ ...saveStateOf(context, projectId, reason), revision: ending ? project.head : null }, policy),
    steps: [...(sleeps ? [wakeStep<CloseState>(context)] : []), ...closeSteps(context).filter(({ id }) => !ending || id === 'destroy')],
    result: (state) => ({ ...saveResult(state), stopped: state.stopped }),
    onFailure: async (failure, { log, state: saving }) => {
      await letGo(context, saving, log);
      const error = withStopped(await nameDeath(context, projectId, failure), saving);
      const state = context.records.find(projectId)?.state;
      const live = context.live.find(projectId);
      if (state === 'stopping' && live !== null) {
        context.records.move(projectId, 'running', { error: error.code === 'CANCELLED' ? null : error.toShape(), ...(foundChanges(saving) ? { dirty: true } : {}) });
        context.live.openRoute(live);
        log('The environment is kept and open again', 'warn');
      }
      return error;
    },
  });
}

function closeSteps(context: EnvironmentContext): readonly StepDefinition<CloseState>[] {
  return [
    { id: 'settle', title: 'Flush editor changes', weight: 3, run: (step) => settle(context, step) },
    { id: 'route', title: 'Disconnect clients', weight: 1, run: (step) => closeRoute(context, step) },
    { id: 'programs', title: 'Ask running programs to end', weight: 3, run: (step) => settlePrograms(context, step) },
    ...saveSteps(context),
    { id: 'recheck', title: 'Make sure that nothing changed since', weight: 3, run: (step) => recheck(context, step) },
    { id: 'destroy', title: 'End the microVM', weight: 10, run: (step) => destroy(context, step) },
  ];
}

async function settle(context: EnvironmentContext, { state, signal }: StepContext<CloseState>): Promise<string> {
  const { projectId } = state;
  const live = context.live.get(projectId);
  const activity = await live.client.activity({ signal });
  const sinceGateway = live.gatewayAt === null ? Infinity : context.runtime.now() - live.gatewayAt;
  const sinceEditor = activity.ide === null ? Infinity : activity.now - activity.ide;
  if (activity.open.ide === 0 || Math.min(sinceGateway, sinceEditor) > EDITOR_FLUSH_MS) return 'No pending edits';
  await pause(EDITOR_FLUSH_MS, signal);
  return `Waited ${EDITOR_FLUSH_MS} ms for the open editor`;
}

function closeRoute(context: EnvironmentContext, { state }: StepContext<CloseState>): Promise<string> {
  const live = context.live.get(state.projectId);
  context.records.move(state.projectId, 'stopping');
  context.live.closeRoute(live);
  return Promise.resolve('New connections blocked');
}

async function recheck(context: EnvironmentContext, step: StepContext<CloseState>): Promise<string> {
  const { state, signal, log } = step;
  for (let saves = 1; ; saves += 1) {
    const { changeCounter, hold } = await context.live.get(state.projectId).client.activity({ signal, look: true });
    const heldThrough = state.hold === null || state.hold === hold;
    if (heldThrough && changeCounter === context.records.find(state.projectId)?.savedCounter) return saves === 1 ? 'Nothing changed' : `Saved ${saves} times; nothing changed since`;
    if (saves >= MAX_SAVES) throw await stillWriting(context.live.get(state.projectId).client, state.policy, saves, signal);
    // What writes although everything was asked to end is not waited for: one more save of a workspace that is still settles it.
    const isStill = state.policy === 'end' && (state.hold === null || !heldThrough) && await holdStill(context, step);
    log(`Files changed during the save: saving once more${isStill ? ', with everything held still' : ''}`);
    const before = state.changed;
    await saveOnce(context, step);
    state.changed ||= before;
  }
}

async function destroy(context: EnvironmentContext, { state, signal }: StepContext<CloseState>): Promise<string> {
  if (context.records.find(state.projectId)?.state !== 'destroying') await holdToTheEnd(context, { state, signal });
  await destroyVm(context, state.projectId, signal);
  return 'Nothing of it is left on the host';
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { signal.removeEventListener('abort', onAbort); resolve(); }, ms);
    const onAbort = (): void => { clearTimeout(timer); reject(new VesselError('CANCELLED')); };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
