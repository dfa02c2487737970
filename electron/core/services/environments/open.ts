import type { OpenResult } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { HostParams, StartResult, Vm } from '#shared/host-protocol.ts';
import type { StepContext, StepDefinition } from '../operations/definition.ts';
import type { StartedOperation } from '../operations/operations.ts';
import type { EnvironmentContext } from './environment-context.ts';
import { wake } from './asleep.ts';
import { destroyVm } from './destroy.ts';
import { checkHead, hydrate, type HydrateState } from './hydrate.ts';
import { settleProject } from './reconcile.ts';

/** A look at a workspace that was filled a moment ago. */
const LOOK_MS = 10_000;

type OpenState = HydrateState & {
  readonly calledAt: number;
  readonly timings: { stage: string; ms: number }[];
  start: StartResult | null;
  /** Found running when the host was asked: somebody's work is in it. */
  adopted: boolean;
  /** From here on a VM of this project is this operation's own. */
  begun: boolean;
};

/**
 * Opens a project: starts its microVM, fills it from the head revision, waits for VS Code through the gateway. Opening what
 * is open answers at once with a fresh address.
 */
export function openEnvironment(context: EnvironmentContext, projectId: string, ensureHost: (hostId: string) => Promise<void>): StartedOperation {
  const project = context.records.project(projectId);
  if (project.deletedAt !== null) throw new VesselError('NOT_FOUND', 'This project is deleted', { hint: 'Undelete it first.' });
  const state: OpenState = { projectId, calledAt: context.runtime.now(), timings: [], start: null, adopted: false, begun: false, checked: null };
  const definition = {
    kind: 'open' as const, title: `Open ${project.name}`, projectId, hostId: project.hostId, cancellable: true,
    request: { call: 'environments.open', input: { projectId } }, state, result: (ended: OpenState) => openResult(context, ended),
  };
  // What is about to end is refused as BUSY, although its route may still be open.
  const ending = ['close', 'discard'].includes(context.operations.active(projectId, null)?.kind ?? '');
  if (!ending && context.records.find(projectId)?.state === 'running' && context.live.find(projectId)?.routeOpen === true) {
    return context.operations.start<OpenState>({ ...definition, exclusive: false, steps: [
      { id: 'ide', title: 'VS Code answers', weight: 1, run: (step) => context.probeIde(projectId, step.signal) },
    ] });
  }
  const active = context.operations.active(projectId, null);
  return context.operations.start<OpenState>({
    ...definition,
    // A save of what sleeps wakes it only for itself, and offline changes that are being saved become the revision that the workspace is
    // filled from: both are awaited rather than refused.
    after: active?.kind === 'edit' || (active?.kind === 'save' && context.live.find(projectId)?.routeOpen !== true) ? active.id : null,
    steps: [...(context.preparation.concerns(project.hostId) ? [prepareStep(context, project.hostId)] : []), ...openSteps(context, ensureHost)],
    onFailure: async (error, { log }) => {
      const present = context.records.find(projectId)?.state;
      // What ran before this operation is not its to remove.
      if (!state.begun || present === undefined || !['requested', 'starting', 'running'].includes(present)) return;
      if (error.code === 'VM_EXISTS') {
        // That VM is not ours: it may hold somebody's unsaved work and is left for rescue.
        context.live.remove(projectId);
        context.records.move(projectId, 'error', { error: error.toShape(), startedAt: null });
        return;
      }
      if (present === 'running' && await wasWrittenTo(context, projectId)) {
        log('Something was written in it already: the environment is kept');
        context.records.patch(projectId, { error: error.code === 'CANCELLED' ? null : error.toShape() });
        return;
      }
      // Nothing of value is in a VM that nobody was let into yet.
      if (state.start !== null || present !== 'requested') {
        log('Removing what was started');
        try {
          await destroyVm(context, projectId, null);
        } catch (cleanup) {
          // Decided and written down: it happens when the host answers again.
          log(`It will be removed when the host answers: ${VesselError.from(cleanup).message}`, 'warn');
        }
      } else {
        context.records.move(projectId, 'destroying');
        context.records.move(projectId, 'destroyed');
      }
      if (error.code !== 'CANCELLED') context.records.patch(projectId, { error: error.toShape() });
    },
  });
}

/** Only where something is to be waited for: everywhere else it would take the progress bar's larger part and no time. */
function prepareStep(context: EnvironmentContext, hostId: string): StepDefinition<OpenState> {
  return { id: 'prepare', title: `Set up ${context.hosts.record(hostId).name}`, weight: 600, run: (step) => context.preparation.wait(hostId, step) };
}

function openSteps(context: EnvironmentContext, ensureHost: (hostId: string) => Promise<void>): readonly StepDefinition<OpenState>[] {
  const timed = (stage: string, run: (step: StepContext<OpenState>) => Promise<string | void>) => async (step: StepContext<OpenState>): Promise<string | void> => {
    const began = performance.now();
    const evidence = await run(step);
    step.state.timings.push({ stage, ms: Math.round(performance.now() - began) });
    return evidence;
  };
  const needed = (state: OpenState): boolean => !state.adopted;
  return [
    { id: 'host', title: 'Reach the host', weight: 2, run: timed('host', (step) => reachHost(context, step, ensureHost)) },
    { id: 'start', title: 'Start the microVM', weight: 60, needed, run: (step) => startVm(context, step) },
    { id: 'hydrate', title: 'Fill the workspace from the last verified revision', weight: 25, needed, run: timed('hydrate', (step) => hydrate(context, step)) },
    { id: 'ide', title: 'VS Code answers', weight: 15, run: timed('ide', (step) => letIn(context, step)) },
  ];
}

async function reachHost(context: EnvironmentContext, step: StepContext<OpenState>, ensureHost: (hostId: string) => Promise<void>): Promise<string> {
  const { state } = step;
  const { projectId } = state;
  const { hostId } = context.records.project(projectId);
  await ensureHost(hostId);
  // Reconciling leaves a project alone that an operation works on: so this one looks after its own.
  await settleProject(context, projectId);
  const present = context.records.find(projectId)?.state;
  if (present === 'running') {
    state.adopted = true;
    return 'The environment was found running';
  }
  if (present === 'hibernated') {
    const evidence = await wake(context, projectId, step);
    context.live.openRoute(context.live.get(projectId));
    state.adopted = true;
    return evidence;
  }
  context.records.move(projectId, 'requested', { error: null });
  state.begun = true;
  return `Host ${hostId} answers`;
}

/** The host's stages of a start in words for people; it may know more than these. */
const START_STAGES: Readonly<Record<string, string>> = {
  record: 'Writing down what is about to be started',
  disk: 'Laying a writable disk over the golden image',
  network: 'Giving it a network of its own',
  hypervisor: 'Starting QEMU as an unprivileged user',
  restore: 'Restoring the frozen machine from its template',
  resume: 'Resuming it',
  boot: 'Booting',
  identity: 'Giving it a name, a clock, fresh entropy and a token',
  ready: 'Waiting for VS Code inside it',
  route: 'Writing its route',
};

async function startVm(context: EnvironmentContext, step: StepContext<OpenState>): Promise<string> {
  const { state, signal } = step;
  const project = context.records.project(state.projectId);
  const link = context.hosts.link(project.hostId);
  context.records.move(state.projectId, 'starting');
  checkHead(context, state);
  if (context.feed.orphans.some((orphan) => orphan.hostId === project.hostId && orphan.vmId === state.projectId)) {
    // It may be gone by now.
    const found = (await link.request('list', {}, { signal })).vms.find(({ id }) => id === state.projectId);
    if (found !== undefined) await removeRemains(context, state.projectId, found, step);
  }
  const params: HostParams<'start'> = { id: state.projectId, tier: project.settings.tier, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  const ask = (): Promise<StartResult> => link.request('start', params, { signal, onMessage: (message) => {
    if (message.type === 'stage') {
      const stage = START_STAGES[message.stage] ?? message.stage;
      step.progress(message.progress, stage);
      step.log(stage, 'debug');
    }
    else if (message.type === 'log') step.log(message.text, message.level);
  } });
  let started: StartResult;
  try {
    started = await ask();
  } catch (error) {
    const known = VesselError.from(error);
    if (known.code !== 'VM_EXISTS') throw known;
    await removeRemains(context, state.projectId, await link.request('inspect', { id: state.projectId }, { signal }), step);
    started = await ask();
  }
  state.start = started;
  state.timings.push(...started.timings);
  const live = context.live.add(state.projectId, link, started.vm, null);
  const health = await live.client.health({ signal });
  context.live.add(state.projectId, link, started.vm, health.ide);
  context.records.patch(state.projectId, { startedAt: context.runtime.now(), startKind: started.vm.startKind });
  if (context.hosts.knownFacts(project.hostId)?.image?.ideStaticDir == null) {
    // Beside the opening, which needs no answer: Vessel may be closing by then.
    context.hosts.refresh(project.hostId).catch((error: unknown) => context.runtime.log(`host ${project.hostId}: ${VesselError.from(error).message}`));
  }
  return `${started.vm.startKind === 'cold' ? 'Booted cold' : 'Cloned from the template'} in ${Math.round(started.timings.reduce((sum, item) => sum + item.ms, 0))} ms`;
}

/** A dead VM of the same name is cleared away; a living one is somebody's work and is left for rescue. */
async function removeRemains(context: EnvironmentContext, projectId: string, vm: Vm, step: StepContext<OpenState>): Promise<void> {
  if (vm.state === 'running' || vm.state === 'starting' || vm.state === 'hibernated') {
    throw new VesselError('VM_EXISTS', 'An environment of this project already runs on the host, unknown to Vessel', { hint: 'Rescue it first: its files become a new revision.', details: { vmId: vm.id, state: vm.state } });
  }
  step.log(`Removing the remains of an environment that ended (${vm.problem ?? vm.state})`);
  await context.hosts.link(context.records.project(projectId).hostId).request('stop', { id: projectId }, { signal: step.signal });
}

/** Whether a machine that people were let into a moment ago holds more than it was filled with. One that does not answer cannot tell. */
async function wasWrittenTo(context: EnvironmentContext, projectId: string): Promise<boolean> {
  const live = context.live.find(projectId);
  if (live === null) return false;
  try {
    const { changeCounter } = await live.client.activity({ look: true, signal: AbortSignal.timeout(LOOK_MS) });
    const saved = context.records.find(projectId)?.savedCounter ?? null;
    return saved !== null && changeCounter !== saved;
  } catch {
    return false;
  }
}

async function letIn(context: EnvironmentContext, { state, signal }: StepContext<OpenState>): Promise<string> {
  const { projectId } = state;
  const now = context.runtime.now();
  if (state.adopted) {
    await context.probeIde(projectId, signal);
    return context.gateway().urlFor({ projectId, frame: false }).origin;
  }
  // Stored as running before anybody is let in: after a crash an environment that somebody may have typed into is adopted, not removed.
  context.records.move(projectId, 'running', { startedAt: now, lastActivityAt: now, error: null });
  context.live.openRoute(context.live.get(projectId));
  await context.probeIde(projectId, signal);
  context.store.projects.update(projectId, { lastOpenedAt: now }, now);
  context.feed.project(projectId);
  return context.gateway().urlFor({ projectId, frame: false }).origin;
}

function openResult(context: EnvironmentContext, state: OpenState): OpenResult {
  const { projectId, calledAt, timings } = state;
  const origin = context.gateway().urlFor({ projectId, frame: false }).origin;
  const record = context.records.find(projectId);
  return { id: projectId, origin, state: record?.state ?? 'running', startKind: record?.startKind ?? 'cold', timings: [...timings], totalMs: context.runtime.now() - calledAt };
}
