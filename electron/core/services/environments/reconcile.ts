import type { Orphan } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import type { HostLink } from '../../ports/host-link.ts';
import type { EnvironmentRecord } from '../../ports/store.ts';
import { LIVE_STATES } from '../../domain/environment-state.ts';
import { audit } from '../context.ts';
import type { EnvironmentContext } from './environment-context.ts';
import { adopt } from './adopt.ts';
import { fellAsleep } from './asleep.ts';
import { died } from './death.ts';
import { destroyVm } from './destroy.ts';

/**
 * Compares what the store believes with what the host really runs, and makes them agree without ever destroying anything
 * that may hold unsaved work: running environments are adopted again, half-started ones removed, those whose destruction
 * was decided are finished, unknown VMs are offered for rescue. Throws when the host cannot be asked.
 */
export async function reconcileHost(context: EnvironmentContext, link: HostLink): Promise<void> {
  const { vms } = await link.request('list', {});
  const byId = new Map(vms.map((vm) => [vm.id, vm]));
  for (const record of context.records.list().filter((candidate) => candidate.hostId === link.hostId)) {
    if (context.operations.active(record.projectId, null) !== null) continue;
    try {
      await settleOne(context, link, record, byId.get(record.projectId) ?? null);
    } catch (error) {
      // One broken environment must not keep the others from being adopted.
      const known = VesselError.from(error);
      context.runtime.log(`reconcile ${record.projectId}: ${known.code} ${known.message}`);
      if (context.records.find(record.projectId)?.state === 'running') context.records.patch(record.projectId, { error: known.toShape() });
      else context.records.fail(record.projectId, known.toShape());
    }
  }
  // Some of those that were seen first have been removed meanwhile.
  context.feed.setOrphans(link.hostId, orphansOf(context, link, (await link.request('list', {})).vms));
}

/** The same for one project, on behalf of the operation that works on it. Throws when the host or the found VM cannot be asked. */
export async function settleProject(context: EnvironmentContext, projectId: string): Promise<void> {
  const record = context.records.find(projectId);
  if (record === null || record.state === 'destroyed') return;
  const link = context.hosts.link(record.hostId);
  const { vms } = await link.request('list', {});
  await settleOne(context, link, record, vms.find((vm) => vm.id === projectId) ?? null);
}

async function settleOne(context: EnvironmentContext, link: HostLink, record: EnvironmentRecord, vm: Vm | null): Promise<void> {
  const { projectId, state } = record;
  const runs = vm !== null && vm.state === 'running';
  switch (state) {
    case 'running': case 'stopping': case 'hibernated':
      if (runs) return adopt(context, link, record, vm);
      // `starting`: somebody else wakes it just now.
      if (vm?.state === 'hibernated' || (state === 'hibernated' && vm?.state === 'starting')) return fellAsleep(context, record, vm);
      return died(context, record, vm);
    case 'destroying':
      await destroyVm(context, projectId, null);
      // Why it came to that is still worth knowing.
      if (record.error !== null) context.records.patch(projectId, { error: record.error });
      return;
    case 'requested': case 'starting':
      if (vm !== null) await link.request('stop', { id: projectId });
      audit(context, { kind: 'environment.cleaned', projectId, hostId: link.hostId, text: 'A start that was interrupted has been cleaned up' });
      context.records.fail(projectId, new VesselError('INTERRUPTED', 'Vessel was stopped while this environment started', { hint: 'Open it again: your last save is safe.' }).toShape());
      return;
    case 'error':
      if (runs && record.startedAt !== null) await adopt(context, link, record, vm);
      else if (vm?.state === 'hibernated' && record.startedAt !== null) fellAsleep(context, record, vm);
      return;
    case 'destroyed': return;
  }
}

/** VMs of the host that belong to no live environment of the store. */
export function orphansOf(context: EnvironmentContext, link: HostLink, vms: readonly Vm[]): readonly Orphan[] {
  return vms.flatMap((vm) => {
    if (vm.state !== 'running' && vm.state !== 'hibernated') return [];
    const record = context.records.find(vm.id);
    if (record !== null && record.hostId === link.hostId && LIVE_STATES.has(record.state)) return [];
    return [{ hostId: link.hostId, vmId: vm.id, startedAt: vm.startedAt, knownProject: context.store.projects.get(vm.id) !== null }];
  });
}
