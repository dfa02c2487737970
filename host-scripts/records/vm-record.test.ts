import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import { expect, it } from 'vitest';
import { newRecord } from './new-record.ts';
import { VmRecordSchema } from './vm-record.ts';

it('a machine that fell asleep before the agent moved is still reached where its agent listens', async () => {
  const { agentPort, ...older } = await newRecord({ id: 'shop-api-k3f9', driver: 'qemu', tier: 'medium', imageKey: 'i', socketDir: null });
  expect(agentPort).toBe(GUEST_AGENT_PORT);
  expect(VmRecordSchema.parse(older).agentPort).toBe(3000);
});
