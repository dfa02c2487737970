import { VesselError } from '#shared/errors.ts';
import type { DiskSpace, Vm } from '#shared/host-protocol.ts';
import { audit } from '../context.ts';
import type { EnvironmentContext } from './environment-context.ts';

/** A running machine that its host holds still, for want of space: the project says so until it goes on. */
export function noteStandstill(context: EnvironmentContext, { id, problem }: Pick<Vm, 'id' | 'problem'>): void {
  const record = context.records.find(id);
  if (record?.state !== 'running') return;
  const stands = record.error?.code === 'DISK_FULL' && record.error.details['standstill'] === true;
  if (problem !== null && !stands) {
    const error = new VesselError('DISK_FULL', `The environment ${problem.replace(/^it /, '')}`, { hint: 'Free space on its host, or discard another environment: nothing is lost, and it goes on by itself.', details: { standstill: true } });
    context.records.patch(id, { error: error.toShape() });
    audit(context, { kind: 'environment.stands-still', projectId: id, hostId: record.hostId, text: error.message });
  } else if (problem === null && stands) {
    context.records.patch(id, { error: null });
    audit(context, { kind: 'environment.goes-on', projectId: id, hostId: record.hostId, text: 'There is space again: the environment goes on' });
  }
}

/** Says once that space gets low on a host, and once that there is enough again. `before` is what was said last. */
export function noteDisk(context: EnvironmentContext, hostId: string, disk: DiskSpace, before: DiskSpace['state']): void {
  if (disk.state === before) return;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1_000_000)} MB`;
  const name = context.store.hosts.get(hostId)?.name ?? hostId;
  const text = disk.state === 'ok' ? `${name} has enough space again` : `${name} has only ${megabytes(disk.freeBytes)} left for environments. Free space there: below ${megabytes(disk.reserveBytes)} none starts, and one that writes much stands still.`;
  audit(context, { kind: disk.state === 'ok' ? 'host.disk-ok' : 'host.disk-low', hostId, text, data: { ...disk } });
}
