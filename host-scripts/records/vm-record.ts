import { z } from 'zod';
import { VmIdSchema } from '#shared/ids.ts';
import { DriverNameSchema, SleepSchema } from '#shared/host-protocol.ts';
import { TierSchema } from '#shared/project.ts';

/** The form of `vm.json`; a record of another form is shown as broken and can still be removed. */
export const VM_RECORD_VERSION = 1;

export const ProcessRoleSchema = z.enum(['hypervisor', 'network', 'guest-agent', 'ide']);
export type ProcessRole = z.infer<typeof ProcessRoleSchema>;
/** The port of agents whose machines were made before records named it. */
const FIRST_AGENT_PORT = 3000;
const IdentitySchema = z.object({ pid: z.number().int(), startTicks: z.number() });

/**
 * Everything needed to find and remove one VM, written *before* its first process starts and completed as it comes to life.
 * It holds the token of the guest agent: mode 0600.
 */
export const VmRecordSchema = z.object({
  v: z.literal(VM_RECORD_VERSION),
  id: VmIdSchema,
  driver: DriverNameSchema,
  tier: TierSchema,
  /**
   * `hibernating` and `resuming` are as long as the way lasts. A resuming VM whose stage is `resume.go` has left its frozen memory behind: its
   * disk may be newer, so only its living processes count from then on.
   */
  phase: z.enum(['starting', 'running', 'stopping', 'hibernating', 'hibernated', 'resuming']),
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
  /** Where the agent is reached: a loopback port, or the machine's own address. */
  host: z.string().default('127.0.0.1'),
  port: z.number().int().nullable(),
  /** Where its agent listens inside: a machine that sleeps may be older than the port of today. */
  agentPort: z.number().int().default(FIRST_AGENT_PORT),
  token: z.string().nullable(),
  processes: z.array(IdentitySchema.extend({ role: ProcessRoleSchema })),
  /** What another program that runs it calls it (ignite's id). */
  hypervisorId: z.string().nullable().default(null),
  /** The user it runs as; null without root, and for machines of before each had its own. */
  uid: z.number().int().nullable().default(null),
  /** Folder of its sockets. */
  socketDir: z.string().nullable(),
  /** Set while the frozen memory is valid. `accelerator` and `processor` must be the same when it goes on. */
  sleep: SleepSchema.extend({ accelerator: z.enum(['kvm', 'tcg']), processor: z.string(), hypervisor: z.string(), problem: z.string().nullable() }).nullable().default(null),
});
/** The stage from which on a resuming VM may have changed its disk. */
export const RESUME_COMMITTED = 'resume.go';
export type VmRecord = z.infer<typeof VmRecordSchema>;
