import { VesselError, type ErrorCode } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import type { EnvironmentRecord } from '../../ports/store.ts';
import type { StepContext, StepDefinition } from '../operations/definition.ts';
import { takeIn } from './adopt.ts';
import type { EnvironmentContext } from './environment-context.ts';

/** Notes that the host has put an environment to sleep: its memory and disk lie there, and nothing is lost. */
export function fellAsleep(context: EnvironmentContext, record: EnvironmentRecord, vm: Vm): void {
  const { projectId } = record;
  context.live.remove(projectId);
  context.live.noteImage(vm);
  const counter = vm.sleep?.changeCounter ?? null;
  const error = vm.problem === null ? null : new VesselError('RESUME_FAILED', vm.problem).toShape();
  context.records.move(projectId, 'hibernated', { dirty: counter === null || counter !== record.savedCounter, error });
}

/** The host could not be asked, or nobody wanted to any more: that says nothing about the environment. */
const isTroubleOnTheWay = (code: ErrorCode): boolean => code === 'CANCELLED' || code === 'INTERRUPTED' || code === 'AGENT_LOST' || code === 'HOST_UNREACHABLE' || code.startsWith('SSH_');

/**
 * Wakes an environment that its host put to sleep and takes it in again, its terminals and unsaved editors as they were. Its route
 * stays closed. When it fails the environment sleeps on.
 */
export async function wake(context: EnvironmentContext, projectId: string, { signal, progress, log }: Pick<StepContext<unknown>, 'signal' | 'progress' | 'log'>): Promise<string> {
  const { hostId } = context.records.project(projectId);
  const link = context.hosts.link(hostId);
  const began = context.runtime.now();
  try {
    const { vm } = await link.request('resume', { id: projectId }, { signal, onMessage: (message) => {
      if (message.type === 'stage') progress(message.progress, STAGES[message.stage] ?? message.stage);
      else if (message.type === 'log') log(message.text, message.level);
    } });
    context.runtime.fault('wake.resumed');
    const now = context.runtime.now();
    // What was long ago by the guest's corrected clock must not count as idle: whoever wakes it wants it.
    context.records.patch(projectId, { startedAt: now, lastActivityAt: now });
    const record = context.records.find(projectId);
    if (record === null) throw new VesselError('INTERNAL', 'A woken environment has no record');
    await takeIn(context, link, record, vm);
  } catch (error) {
    const known = VesselError.from(error);
    if (!isTroubleOnTheWay(known.code) && context.records.find(projectId)?.state === 'hibernated') context.records.patch(projectId, { error: known.toShape() });
    throw known;
  }
  return `Woken in ${context.runtime.now() - began} ms, as it was when its host put it to sleep`;
}

const STAGES: Readonly<Record<string, string>> = {
  'resume.launch': 'Starting a hypervisor', 'resume.restore': 'Reading its memory back', 'resume.go': 'Letting it go on', 'resume.wake': 'Telling it the time',
};

/** Before everything else that is done with an environment that sleeps. */
export const wakeStep = <S extends { readonly projectId: string }>(context: EnvironmentContext): StepDefinition<S> => ({
  id: 'wake', title: 'Wake the environment', weight: 20, run: (step) => wake(context, step.state.projectId, step),
});

/** After a save that needed it awake: it sleeps again, unless somebody was let in meanwhile. */
export const sleepAgainStep = <S extends { readonly projectId: string }>(context: EnvironmentContext): StepDefinition<S> => ({
  id: 'sleep', title: 'Let it sleep again', weight: 20,
  needed: ({ projectId }) => context.live.find(projectId)?.routeOpen === false,
  run: async ({ state: { projectId }, signal }) => {
    const { vm } = await context.hosts.link(context.records.project(projectId).hostId).request('hibernate', { id: projectId }, { signal });
    const record = context.records.find(projectId);
    if (record !== null) fellAsleep(context, record, vm);
  },
});
