import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import type { StartedOperation } from '../operations/operations.ts';
import type { EnvironmentContext } from './environment-context.ts';
import { sleepAgainStep, wakeStep } from './asleep.ts';
import { deathOf, nameDeath } from './death.ts';
import { newSaveState, saveResult, saveSteps, type SaveState } from './save-steps.ts';

const TITLES = { save: 'Save', autosave: 'Autosave' } as const;

/** Saves a running environment without stopping it; one that sleeps is woken for it and sleeps on afterwards. Throws VM_NOT_FOUND when it is neither. */
export function saveEnvironment(context: EnvironmentContext, projectId: string, reason: 'save' | 'autosave'): StartedOperation {
  const project = context.records.project(projectId);
  const sleeps = isAsleep(context, projectId);
  if (!sleeps) context.live.get(projectId);
  return context.operations.start<SaveState>({
    kind: 'save', title: `${TITLES[reason]} ${project.name}`, projectId, hostId: project.hostId, cancellable: true,
    request: { call: 'environments.save', input: { projectId } },
    state: saveStateOf(context, projectId, reason),
    steps: sleeps ? [wakeStep(context), ...saveSteps(context), sleepAgainStep(context)] : saveSteps(context),
    result: saveResult,
    onFailure: async (failure, { state }) => {
      const error = await nameDeath(context, projectId, failure);
      if (context.records.find(projectId)?.state === 'running') {
        context.records.patch(projectId, { ...(error.code === 'CANCELLED' ? {} : { error: error.toShape() }), ...(foundChanges(state) ? { dirty: true } : {}) });
        // One that was woken only to be saved is now for people.
        const live = context.live.find(projectId);
        if (live !== null) context.live.openRoute(live);
      }
      return error;
    },
  });
}

/** True when a save that failed had seen changes which are not safe yet. */
export const foundChanges = (state: SaveState): boolean => state.counter !== null && !state.unchanged;

/** The save of a live environment: keeps its record in step with what is safe. */
export function saveStateOf(context: EnvironmentContext, projectId: string, reason: Revision['reason']): SaveState {
  return newSaveState({
    projectId, reason, exclude: context.records.project(projectId).settings.exclude,
    client: () => context.live.get(projectId).client,
    savedCounter: () => context.records.find(projectId)?.savedCounter ?? null,
    baseRev: () => context.records.find(projectId)?.baseRev ?? null,
    onSafe: (revision, counter, stillChanging) => {
      const record = context.records.find(projectId);
      // The machine may have died after its last byte was read: the save is whole, and the record goes on saying what happened.
      const error = record?.state === 'error' && record.error?.code === 'VM_DIED' ? deathOf(context, { ...record, dirty: stillChanging }, record.error.details['problem'] ?? null) : null;
      context.records.patch(projectId, { baseRev: revision.rev, savedCounter: counter, dirty: stillChanging, error });
      const live = context.live.find(projectId);
      if (live !== null) live.lastSaveAt = context.runtime.now();
    },
  });
}

/** True when its host has put it to sleep. */
export const isAsleep = (context: EnvironmentContext, projectId: string): boolean => context.records.find(projectId)?.state === 'hibernated';

/** Throws ILLEGAL_TRANSITION unless the environment runs. */
export function requireRunning(context: EnvironmentContext, projectId: string): void {
  const state = context.records.find(projectId)?.state ?? 'destroyed';
  if (state === 'destroyed') throw new VesselError('ILLEGAL_TRANSITION', 'The environment is already closed', { hint: 'Open it to go on with its last revision.', details: { projectId, state } });
  if (state !== 'running') throw new VesselError('ILLEGAL_TRANSITION', `The environment is ${state}, not running`, { details: { projectId, state } });
}
