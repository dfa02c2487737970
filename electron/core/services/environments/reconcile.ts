import type { Orphan } from '#shared/contract.ts';
import { VesselError, type ErrorCode, type ErrorShape } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import type { HostLink } from '../../ports/host-link.ts';
import type { EnvironmentRecord } from '../../ports/store.ts';
import { LIVE_STATES } from '../../domain/environment-state.ts';
import { audit } from '../context.ts';
import type { EnvironmentContext } from './environment-context.ts';
import type { LiveEnvironment } from './live-environments.ts';
import { fellAsleep } from './asleep.ts';
import { destroyVm } from './close.ts';

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
  if (record === null || record.state === 'destroyed' || record.state === 'stopped') return;
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
    case 'requested': case 'provisioning': case 'starting':
      if (vm !== null) await link.request('stop', { id: projectId });
      audit(context, { kind: 'environment.cleaned', projectId, hostId: link.hostId, text: 'A start that was interrupted has been cleaned up' });
      context.records.fail(projectId, new VesselError('INTERRUPTED', 'Vessel was stopped while this environment started', { hint: 'Open it again: your last save is safe.' }).toShape());
      return;
    case 'error':
      if (runs && record.startedAt !== null) await adopt(context, link, record, vm);
      else if (vm?.state === 'hibernated' && record.startedAt !== null) fellAsleep(context, record, vm);
      return;
    case 'stopped': case 'destroyed': return;
  }
}

/** Takes a VM that ran on without us back into service. */
async function adopt(context: EnvironmentContext, link: HostLink, record: EnvironmentRecord, vm: Vm): Promise<void> {
  context.live.openRoute(await takeIn(context, link, record, vm));
}

/** The same with the route still closed. */
export async function takeIn(context: EnvironmentContext, link: HostLink, record: EnvironmentRecord, vm: Vm): Promise<LiveEnvironment> {
  const { projectId } = record;
  const known = context.live.find(projectId);
  if (known !== null && known.vm.token === vm.token && known.ide !== null) return known;
  const live = context.live.add(projectId, link, vm, null);
  const health = await live.client.health();
  const ready = context.live.add(projectId, link, vm, health.ide);
  const interrupted = record.state === 'stopping' ? new VesselError('INTERRUPTED', 'Vessel was stopped during Save & Exit', { hint: 'Press Save & Exit again: the environment was kept.' }).toShape() : null;
  const { changeCounter, hold } = await ready.client.activity();
  // A Save & Exit that was cut off may have left everything in there held still.
  // When it does not let go now, its own clock does.
  if (hold !== undefined) await ready.client.release().catch((error: unknown) => context.runtime.log(`release ${projectId}: ${VesselError.from(error).message}`));
  if (record.state === 'running') context.records.patch(projectId, { dirty: changeCounter !== record.savedCounter, error: null });
  else context.records.move(projectId, 'running', { dirty: changeCounter !== record.savedCounter, error: interrupted });
  audit(context, { kind: 'environment.adopted', projectId, hostId: link.hostId, text: 'Found running and adopted again' });
  return ready;
}

/** A VM that should run and does not. */
export function died(context: EnvironmentContext, record: EnvironmentRecord, vm: Vm | null): void {
  context.live.remove(record.projectId);
  context.records.fail(record.projectId, deathOf(context, record, vm?.problem ?? null));
}

/** What is known of a machine's death: which revision is safe, and whether changes after it are gone. */
export function deathOf(context: EnvironmentContext, record: EnvironmentRecord, problem: unknown): ErrorShape {
  const head = context.store.projects.get(record.projectId)?.head ?? null;
  const safe = head === null ? 'Nothing had been saved yet' : `Revision ${head.rev}, verified ${new Date(head.verifiedAt).toISOString()}, is safe`;
  const lost = record.dirty ? '; changes after it are lost' : '';
  return new VesselError('VM_DIED', `The microVM ended by itself. ${safe}${lost}.`, { details: { lastRev: head?.rev ?? null, verifiedAt: head?.verifiedAt ?? null, problem } }).toShape();
}

/** How the death of a machine looks to whoever was talking to it. */
const SYMPTOMS: ReadonlySet<ErrorCode> = new Set(['GUEST_UNREACHABLE', 'GUEST_TIMEOUT', 'ARCHIVE_CORRUPT', 'VM_NOT_FOUND']);

/** The failure of a talk with a guest, or VM_DIED when the host says that the machine is gone; the record then says so too. */
export async function nameDeath(context: EnvironmentContext, projectId: string, failure: VesselError): Promise<VesselError> {
  const record = context.records.find(projectId);
  if (record === null || !SYMPTOMS.has(failure.code)) return failure;
  const line = context.feed.connection(record.hostId);
  if (line !== null && line.state !== 'connected') return lineLost(failure);
  if (record.state === 'running' || record.state === 'stopping') {
    const found = await context.hosts.link(record.hostId).request('list', {}).catch((error: unknown) => VesselError.from(error));
    // A host that cannot be asked just now is asked when it is back.
    if (found instanceof VesselError) return line === null ? failure : lineLost(failure);
    const { vms } = found;
    const vm = vms.find(({ id }) => id === projectId) ?? null;
    if (vm?.state === 'running') return failure;
    if (vm?.state === 'hibernated') {
      fellAsleep(context, record, vm);
      return failure;
    }
    died(context, record, vm);
  }
  const { error } = context.records.find(projectId) ?? { error: null };
  return error?.code === 'VM_DIED' ? VesselError.fromShape(error) : failure;
}

const lineLost = (failure: VesselError): VesselError => new VesselError('SSH_CONNECTION_LOST', undefined, { cause: failure, hint: 'The environment goes on, and what was saved before is safe. Try again when the host is back.' });

/** VMs of the host that belong to no live environment of the store. */
export function orphansOf(context: EnvironmentContext, link: HostLink, vms: readonly Vm[]): readonly Orphan[] {
  return vms.flatMap((vm) => {
    if (vm.state !== 'running' && vm.state !== 'hibernated') return [];
    const record = context.records.find(vm.id);
    if (record !== null && record.hostId === link.hostId && LIVE_STATES.has(record.state)) return [];
    return [{ hostId: link.hostId, vmId: vm.id, startedAt: vm.startedAt, knownProject: context.store.projects.get(vm.id) !== null }];
  });
}
