import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { audit } from '../context.ts';
import type { StartedOperation } from '../operations/operations.ts';
import type { EnvironmentContext } from './environment-context.ts';
import { newSaveState, saveOnce, saveResult, saveSteps, type SaveState } from './save-steps.ts';
import { orphansOf } from './reconcile.ts';
import { LAST_LEASE_MS, MAX_SAVES, stillWriting } from './still.ts';

/**
 * Saves the workspace of a VM that the store does not know as running, as a new revision, then ends the VM. What is written during the save is saved
 * too: from a workspace that is held still, where the guest can do that. Ends with CONFLICT and keeps the VM when something goes on writing.
 */
export function rescueOrphan(context: EnvironmentContext, hostId: string, vmId: string): StartedOperation {
  const link = context.hosts.link(hostId);
  const known = context.store.projects.get(vmId);
  if (context.live.find(vmId)?.link === link) throw new VesselError('CONFLICT', 'This environment is not an orphan: it is open', { hint: 'Use Save & Exit.' });
  let vm: Vm | null = null;
  let client: ReturnType<typeof context.live.connect> | null = null;
  let saved: number | null = null;
  const { settings } = known ?? { settings: context.store.settings.get().defaults };
  const state: SaveState = newSaveState({
    projectId: vmId, reason: 'rescue', exclude: settings.exclude,
    client: () => { if (vm === null) throw new VesselError('VM_NOT_FOUND'); return client ??= context.live.connect(link, vm); },
    savedCounter: () => null,
    baseRev: () => context.store.projects.get(vmId)?.head?.rev ?? null,
    onSafe: (_revision, counter) => { saved = counter; },
  });
  return context.operations.start<SaveState>({
    kind: 'rescue', title: `Rescue ${known?.name ?? vmId}`, projectId: vmId, hostId, cancellable: true,
    request: { call: 'environments.rescue', input: { hostId, vmId } }, state, result: saveResult,
    steps: [
      { id: 'find', title: 'Find the environment', weight: 2, run: async ({ signal }) => {
        vm = await link.request('inspect', { id: vmId }, { signal });
        if (vm.state === 'hibernated') ({ vm } = await link.request('resume', { id: vmId }, { signal }));
        if (vm.state !== 'running') throw new VesselError('VM_NOT_FOUND', `The environment is ${vm.state}: nothing can be read from it`, { details: { problem: vm.problem } });
        if (known === null) context.store.projects.insert({ id: vmId, name: `Rescued ${vmId}`, template: null, hostId, createdAt: context.runtime.now(), settings });
        else if (known.deletedAt !== null) context.store.projects.update(vmId, { deletedAt: null }, context.runtime.now());
      } },
      ...saveSteps(context),
      { id: 'recheck', title: 'Make sure that nothing changed since', weight: 3, run: async (step) => {
        const { signal, log } = step;
        for (let saves = 1; ; saves += 1) {
          // Held until the end of the machine: nothing is written between this look and that.
          await state.client().holdStill(LAST_LEASE_MS, { signal }).catch((error: unknown) => {
            signal.throwIfAborted();
            log(`The workspace cannot be held still: ${VesselError.from(error).message}`, 'warn');
          });
          if ((await state.client().activity({ signal, look: true })).changeCounter === saved) return saves === 1 ? 'Nothing changed' : `Saved ${saves} times; nothing changed since`;
          if (saves >= MAX_SAVES) throw await stillWriting(state.client(), 'end', saves, signal);
          log('Files changed during the save: saving once more');
          await saveOnce(context, step);
        }
      } },
      { id: 'destroy', title: 'End the microVM', weight: 10, run: async ({ signal, operationId }) => {
        client?.close();
        await link.request('stop', { id: vmId }, { signal });
        audit(context, { kind: 'environment.rescued', projectId: vmId, hostId, operationId, text: `Rescued as revision ${state.revision?.rev ?? '?'}` });
        context.feed.setOrphans(hostId, orphansOf(context, link, (await link.request('list', {}, { signal })).vms));
      } },
    ],
    onFailure: async (_failure, { log }) => {
      // A machine that is gone holds nothing; one that does not answer lets go by its own clock.
      await client?.release().catch((error: unknown) => log(`Letting go of the workspace: ${VesselError.from(error).message}`));
      client?.close();
    },
  });
}
