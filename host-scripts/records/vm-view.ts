import type { Vm, VmStateSchema } from '#shared/host-protocol.ts';
import type { z } from 'zod';
import { hostBootId, isAlive } from '../system/process-identity.ts';
import type { StoredVm } from './record-store.ts';
import { RESUME_COMMITTED } from './vm-record.ts';
import type { VmRecord } from './vm-record.ts';

type VmState = z.infer<typeof VmStateSchema>;
type Condition = { readonly state: VmState; readonly problem: string | null };

/** How a VM ended, when this agent saw it; otherwise a vanished hypervisor counts as broken. */
export type KnownEnd = 'guest-shutdown' | 'unknown';

async function conditionOf(record: VmRecord, end: KnownEnd): Promise<Condition> {
  const sameBoot = record.bootId === await hostBootId();
  const alive = await Promise.all(record.processes.map(async (process) => ({ role: process.role, alive: sameBoot && await isAlive(process) })));
  switch (record.phase) {
    case 'starting':
      if (sameBoot && await isAlive(record.owner)) return { state: 'starting', problem: null };
      return { state: 'broken', problem: `its start was interrupted at the stage "${record.stage}"` };
    case 'stopping':
      return { state: 'broken', problem: 'its removal was interrupted' };
    case 'hibernated':
      return { state: 'hibernated', problem: record.sleep?.problem ?? null };
    case 'hibernating':
      // Also when the agent died on the way: whoever resumes it lets the paused machine go on.
      if (alive.length > 0 && alive.every((process) => process.alive)) return { state: 'hibernated', problem: null };
      return sameBoot ? { state: 'broken', problem: 'its machine ended while its memory was being written to disk' } : { state: 'stopped', problem: 'the host was restarted' };
    case 'resuming': {
      if (sameBoot && await isAlive(record.owner)) return { state: 'starting', problem: null };
      if (record.stage !== RESUME_COMMITTED || alive.every((process) => process.alive)) return { state: 'hibernated', problem: null };
      return { state: sameBoot ? 'broken' : 'stopped', problem: sameBoot ? 'its machine ended right after it had gone on' : 'the host was restarted' };
    }
    case 'running': {
      if (!sameBoot) return { state: 'stopped', problem: 'the host was restarted' };
      const dead = alive.find((process) => !process.alive);
      if (dead === undefined) return { state: 'running', problem: null };
      if (end === 'guest-shutdown') return { state: 'stopped', problem: 'the guest shut itself down' };
      return { state: 'broken', problem: `its ${dead.role} process ended by itself` };
    }
  }
}

/** What the host says about a VM: its record checked against the processes that really live. */
export async function viewVm(stored: StoredVm, driver: Vm['driver'], end: KnownEnd): Promise<Vm> {
  const { record } = stored;
  if (record === null) {
    return {
      id: stored.id, driver, state: 'broken', tier: 'medium', address: null, token: null, startKind: null, createdAt: 0,
      startedAt: null, imageKey: '', pid: null, problem: stored.problem,
    };
  }
  const condition = await conditionOf(record, end);
  const main = record.processes.find((process) => process.role === 'hypervisor' || process.role === 'guest-agent');
  return {
    id: record.id, driver: record.driver, ...condition, tier: record.tier,
    address: record.port === null || condition.state === 'hibernated' ? null : { host: record.host, port: record.port },
    token: record.token, startKind: record.startKind, createdAt: record.createdAt, startedAt: record.startedAt,
    imageKey: record.imageKey, pid: main?.pid ?? null,
    ...(condition.state === 'hibernated' && record.sleep !== null ? { sleep: { at: record.sleep.at, bytes: record.sleep.bytes, changeCounter: record.sleep.changeCounter } } : {}),
  };
}
