import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { audit } from '../context.ts';
import type { StartedOperation } from '../operations/operations.ts';
import type { EnvironmentContext } from './environment-context.ts';
import { newSaveState, saveResult, saveSteps, type SaveState } from './save-steps.ts';
import { orphansOf } from './reconcile.ts';

/** Saves the workspace of a VM that the store does not know as running, as a new revision, then ends the VM. */
export function rescueOrphan(context: EnvironmentContext, hostId: string, vmId: string): StartedOperation {
  const link = context.hosts.link(hostId);
  const known = context.store.projects.get(vmId);
  if (context.live.find(vmId)?.link === link) throw new VesselError('CONFLICT', 'This environment is not an orphan: it is open', { hint: 'Use Save & Exit.' });
  let vm: Vm | null = null;
  let client: ReturnType<typeof context.live.connect> | null = null;
  const { settings } = known ?? { settings: context.store.settings.get().defaults };
  const state: SaveState = newSaveState({
    projectId: vmId, reason: 'rescue', exclude: settings.exclude,
    client: () => { if (vm === null) throw new VesselError('VM_NOT_FOUND'); return client ??= context.live.connect(link, vm); },
    savedCounter: () => null,
    baseRev: () => context.store.projects.get(vmId)?.head?.rev ?? null,
    onSafe: () => undefined,
  });
  return context.operations.start<SaveState>({
    kind: 'rescue', title: `Rescue ${known?.name ?? vmId}`, projectId: vmId, hostId, cancellable: true,
    request: { call: 'environments.rescue', input: { hostId, vmId } }, state, result: saveResult,
    steps: [
      { id: 'find', title: 'Find the environment', weight: 2, run: async ({ signal }) => {
        vm = await link.request('inspect', { id: vmId }, { signal });
        if (vm.state !== 'running') throw new VesselError('VM_NOT_FOUND', `The environment is ${vm.state}: nothing can be read from it`, { details: { problem: vm.problem } });
        if (known === null) context.store.projects.insert({ id: vmId, name: `Rescued ${vmId}`, template: null, hostId, createdAt: context.runtime.now(), settings });
        else if (known.deletedAt !== null) context.store.projects.update(vmId, { deletedAt: null }, context.runtime.now());
      } },
      ...saveSteps(context),
      { id: 'destroy', title: 'End the microVM', weight: 10, run: async ({ signal, operationId }) => {
        client?.close();
        await link.request('stop', { id: vmId }, { signal });
        audit(context, { kind: 'environment.rescued', projectId: vmId, hostId, operationId, text: `Rescued as revision ${state.revision?.rev ?? '?'}` });
        context.feed.setOrphans(hostId, orphansOf(context, link, (await link.request('list', {}, { signal })).vms));
      } },
    ],
    onFailure: () => { client?.close(); return Promise.resolve(); },
  });
}
