import { VesselError } from '#shared/errors.ts';
import type { Tier } from '#shared/project.ts';
import { makeToken } from '../guest/introduce.ts';
import { hostBootId, identifyProcess } from '../system/process-identity.ts';
import { VM_RECORD_VERSION } from './vm-record.ts';
import type { VmRecord } from './vm-record.ts';

/** The intent record of a VM that is about to be made by this process, with the token it will get. */
export async function newRecord(given: {
  readonly id: string;
  readonly driver: VmRecord['driver'];
  readonly tier: Tier;
  readonly imageKey: string;
  readonly socketDir: string | null;
}): Promise<VmRecord> {
  const owner = await identifyProcess(process.pid);
  if (owner === null) throw new VesselError('INTERNAL', 'this process is not in /proc');
  return {
    v: VM_RECORD_VERSION, ...given, phase: 'starting', stage: 'record', bootId: await hostBootId(), owner, createdAt: Date.now(),
    startedAt: null, startKind: null, templateKey: null, port: null, token: makeToken(), processes: [], sleep: null,
  };
}
