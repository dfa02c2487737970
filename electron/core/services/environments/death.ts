import { VesselError, type ErrorCode, type ErrorShape } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import type { EnvironmentRecord } from '../../ports/store.ts';
import { fellAsleep } from './asleep.ts';
import type { EnvironmentContext } from './environment-context.ts';

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
