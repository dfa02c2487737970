import { z } from 'zod';
import { VmIdSchema } from '#shared/ids.ts';
import { TierSchema } from '#shared/project.ts';

/** The form of `vm.json`; a record of another form is shown as broken and can still be removed. */
export const VM_RECORD_VERSION = 1;

export const ProcessRoleSchema = z.enum(['hypervisor', 'network', 'guest-agent', 'ide']);
export type ProcessRole = z.infer<typeof ProcessRoleSchema>;
const IdentitySchema = z.object({ pid: z.number().int(), startTicks: z.number() });

/**
 * Everything needed to find and remove one VM, written *before* its first process starts and completed as it comes to life.
 * It holds the token of the guest agent: mode 0600.
 */
export const VmRecordSchema = z.object({
  v: z.literal(VM_RECORD_VERSION),
  id: VmIdSchema,
  driver: z.enum(['qemu', 'process']),
  tier: TierSchema,
  phase: z.enum(['starting', 'running', 'stopping']),
  /** The stage that was reached, to say where an interrupted start ended. */
  stage: z.string(),
  /** The host's boot in which the processes were started: after a reboot none of them lives. */
  bootId: z.string(),
  /** The infra-agent that is starting it; when it is gone and the phase is still `starting`, the VM is half made. */
  owner: IdentitySchema,
  createdAt: z.number(),
  startedAt: z.number().nullable(),
  startKind: z.enum(['clone', 'cold']).nullable(),
  imageKey: z.string(),
  templateKey: z.string().nullable(),
  port: z.number().int().nullable(),
  token: z.string().nullable(),
  processes: z.array(IdentitySchema.extend({ role: ProcessRoleSchema })),
  /** Folder of its sockets. */
  socketDir: z.string().nullable(),
});
export type VmRecord = z.infer<typeof VmRecordSchema>;
