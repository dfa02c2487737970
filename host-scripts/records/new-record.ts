import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import type { Tier } from '#shared/project.ts';
import { makeToken } from '../guest/introduce.ts';
import { hostBootId, ownIdentity } from '../system/process-identity.ts';
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
  return {
    v: VM_RECORD_VERSION, ...given, phase: 'starting', stage: 'record', bootId: await hostBootId(), owner: await ownIdentity(), createdAt: Date.now(),
    startedAt: null, startKind: null, templateKey: null, host: '127.0.0.1', port: null, agentPort: GUEST_AGENT_PORT, token: makeToken(), processes: [], hypervisorId: null, uid: null, sleep: null,
  };
}
