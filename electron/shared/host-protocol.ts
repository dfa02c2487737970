import { z } from 'zod';
import { ErrorShapeSchema } from './errors.ts';
import { VmIdSchema } from './ids.ts';
import { TierSchema } from './project.ts';

/**
 * JSON lines between Vessel and `infra-agent serve` (stdin/stdout; people read stderr). One object a line.
 * Unknown fields are ignored; an unknown `v` is refused with HOST_VERSION. The one-shot verbs print the same result objects.
 */
export const HOST_PROTOCOL_VERSION = 1;

export const VmStateSchema = z.enum(['starting', 'running', 'stopped', 'hibernated', 'broken']);

/** How a host runs machines. `process` isolates nothing and is for tests only. */
export const DRIVER_NAMES = ['qemu', 'firecracker', 'ignite', 'process'] as const;
export const DriverNameSchema = z.enum(DRIVER_NAMES);
export type DriverName = z.infer<typeof DriverNameSchema>;

/** What a driver can do besides running machines: freeze templates ahead, put machines to sleep, tell what memory one costs, reach a guest without a network. */
export const DriverAbilitySchema = z.enum(['templates', 'hibernate', 'memory', 'vsock']);

/** A machine whose memory lies on its host's disk. */
export const SleepSchema = z.object({
  /** Unix ms. */
  at: z.number(),
  /** Bytes that its memory takes on the disk. */
  bytes: z.number(),
  /** The guest's change counter when it fell asleep (see GuestActivity): equal to that of a save, nothing is unsaved. Null when it did not answer. */
  changeCounter: z.number().int().nullable(),
});

/** What the host knows about one VM. The token opens its agent: it travels only on this stdio and lives in a 0600 file. */
export const VmSchema = z.object({
  id: VmIdSchema,
  driver: DriverNameSchema,
  state: VmStateSchema,
  tier: TierSchema,
  /** Where the guest agent is reached from this host. */
  address: z.object({ host: z.string(), port: z.number().int() }).nullable(),
  token: z.string().nullable(),
  startKind: z.enum(['clone', 'cold']).nullable(),
  createdAt: z.number(),
  startedAt: z.number().nullable(),
  imageKey: z.string(),
  pid: z.number().int().nullable(),
  /** Why it is broken, in words. */
  problem: z.string().nullable(),
  /** Only of a hibernated one. */
  sleep: SleepSchema.nullish(),
});
export type Vm = z.infer<typeof VmSchema>;

/** The answer of `start`; `ip` is the address the Traefik rule points to. */
export const StartResultSchema = z.object({
  status: z.literal('success'),
  vm: VmSchema,
  ip: z.string(),
  url: z.string(),
  /** Milliseconds spent in each stage, in order. */
  timings: z.array(z.object({ stage: z.string(), ms: z.number() })),
});
export type StartResult = z.infer<typeof StartResultSchema>;

export const HostStepStateSchema = z.enum(['missing', 'present', 'running', 'done', 'failed', 'skipped']);
/** One provisioning step. `plan` says in words what running it would change; empty when nothing. */
export const HostStepSchema = z.object({
  id: z.string(),
  title: z.string(),
  weight: z.number().positive(),
  state: HostStepStateSchema,
  plan: z.array(z.string()),
  evidence: z.string(),
  /** 0–1 inside this step while it runs, when it can tell. */
  progress: z.number().min(0).max(1).optional(),
});
export type HostStep = z.infer<typeof HostStepSchema>;
/** Whether a planned step misses what it cannot bring itself (disk space, another system): provisioning would stop at it with the evidence. */
export const blocksProvisioning = ({ state, plan }: Pick<HostStep, 'state' | 'plan'>): boolean => state === 'missing' && plan.length === 0;
export const ProvisionResultSchema = z.object({ status: z.enum(['success', 'planned']), steps: z.array(HostStepSchema), changed: z.number().int() });
export type ProvisionResult = z.infer<typeof ProvisionResultSchema>;
export const UnprovisionResultSchema = z.object({
  status: z.enum(['success', 'planned']),
  removed: z.array(z.string()),
  kept: z.array(z.object({ item: z.string(), why: z.string() })),
  /** What the host counts now against what it counted before it was first provisioned; absent where nothing was counted. */
  proof: z.array(z.object({ what: z.string(), before: z.number().int(), after: z.number().int(), added: z.array(z.string()), gone: z.array(z.string()) })).optional(),
});
export type UnprovisionResult = z.infer<typeof UnprovisionResultSchema>;

/** A golden image that the caller has for the host; `path` is where it lies on the host as a compressed tar, null while it is not sent (a plan needs no more). */
export const DeliveredImageSchema = z.object({ key: z.string().regex(/^[0-9a-f]{32}$/), bytes: z.number().int(), sha256: z.string(), path: z.string().nullable() });
export type DeliveredImage = z.infer<typeof DeliveredImageSchema>;
/** A program that the caller puts on the host, where the host cannot fetch it. */
export const DeliveredFileSchema = z.object({ path: z.string(), sha256: z.string() });
export type DeliveredFile = z.infer<typeof DeliveredFileSchema>;

/** How far the clone is that is kept ready for the next open; `off` when none is kept (nobody wants it, or no template). */
export const StandbyStateSchema = z.enum(['off', 'waiting', 'preparing', 'ready']);

export const HostFactsSchema = z.object({
  hostname: z.string(),
  os: z.string(),
  kernel: z.string(),
  cpus: z.number().int(),
  memoryTotalBytes: z.number(),
  memoryAvailableBytes: z.number(),
  diskFreeBytes: z.number(),
  accelerator: z.object({ kind: z.enum(['kvm', 'tcg', 'unknown']), why: z.string(), probedAt: z.number().nullable() }),
  qemuVersion: z.string().nullable(),
  image: z.object({ key: z.string(), ide: z.string(), ideVersion: z.string(), bytes: z.number(), builtAt: z.number(),
    /** Folder on the host with the IDE's static files and `manifest.json`, see docs/images.md; null when the image has none. */
    ideStaticDir: z.string().nullable() }).nullable(),
  templates: z.array(z.object({ tier: TierSchema, state: z.enum(['ready', 'stale', 'missing', 'building']), bytes: z.number(), builtAt: z.number().nullable() })),
  /** How many more idle environments of the default tier fit, from free memory and the measured cost of a clone. */
  capacity: z.object({ running: z.number().int(), more: z.number().int(), perEnvironmentBytes: z.number() }),
  standby: StandbyStateSchema.default('off'),
  /** Where Vessel's own Traefik answers on this host while it runs; absent or null where there is none. */
  front: z.object({ host: z.string(), port: z.number().int() }).nullable().optional(),
  /** Unprivileged user that runs the hypervisor; null when the agent itself is unprivileged. */
  runUser: z.string().nullable(),
  ready: z.boolean(),
  driver: DriverNameSchema,
  /** Absent from an older agent. */
  abilities: z.array(DriverAbilitySchema).optional(),
});
export type HostFacts = z.infer<typeof HostFactsSchema>;

export const DoctorCheckSchema = z.object({
  stage: z.string(),
  state: z.enum(['ok', 'warn', 'fail', 'skipped']),
  evidence: z.string(),
  fix: z.string().nullable(),
  ms: z.number(),
});
export const DoctorResultSchema = z.object({ healthy: z.boolean(), checks: z.array(DoctorCheckSchema) });
export type DoctorResult = z.infer<typeof DoctorResultSchema>;

/** Drivers besides QEMU that are installed on request. */
export const RequestedDriverSchema = z.enum(['firecracker', 'ignite']);
export type RequestedDriver = z.infer<typeof RequestedDriverSchema>;

/** The disk that environments write to. Below the reserve (`full`) nothing starts, and a guest that goes on growing is held still; `low` is near that. */
export const DiskSpaceSchema = z.object({ freeBytes: z.number(), totalBytes: z.number(), reserveBytes: z.number(), state: z.enum(['ok', 'low', 'full']) });
export type DiskSpace = z.infer<typeof DiskSpaceSchema>;

/** Every method of the agent: parameters and result. */
export const hostMethods = {
  hello: { params: z.object({ client: z.string() }), result: z.object({ v: z.number().int(), agentVersion: z.string(), pid: z.number().int() }) },
  facts: { params: z.object({}), result: HostFactsSchema },
  doctor: { params: z.object({}), result: DoctorResultSchema },
  provision: {
    params: z.object({
      dryRun: z.boolean().default(false), tiers: z.array(TierSchema).default(['medium']),
      /** Instead of building one; see docs/ssh-hosts.md. */
      image: DeliveredImageSchema.optional(),
      /** Traefik's program, already on the host. */
      traefik: DeliveredFileSchema.optional(),
      drivers: z.array(RequestedDriverSchema).optional(),
      /** Release files of those drivers, already on the host under their own names. */
      driverFiles: z.array(DeliveredFileSchema).optional(),
    }),
    result: ProvisionResultSchema,
  },
  unprovision: { params: z.object({ dryRun: z.boolean().default(false) }), result: UnprovisionResultSchema },
  /** Creates and starts a VM, gives it its identity; resolves once its agent answers with the new token and `ideReady`. */
  start: {
    params: z.object({
      id: VmIdSchema,
      tier: TierSchema.default('medium'),
      /** `auto` clones when a valid template exists and boots cold otherwise. */
      mode: z.enum(['auto', 'clone', 'cold']).default('auto'),
      timezone: z.string().default('UTC'),
      env: z.record(z.string(), z.string()).default({}),
      /** Milliseconds until the guest must be ready. */
      deadlineMs: z.number().int().positive().default(180_000),
    }),
    result: StartResultSchema,
  },
  /** Stops and removes every trace (processes, sockets, disks, routes). A no-op for an unknown id: `existed` says so. */
  stop: { params: z.object({ id: VmIdSchema }), result: z.object({ status: z.literal('success'), existed: z.boolean() }) },
  /**
   * Writes a running VM's memory to the host's disk and ends its processes; disk, token and identity stay. A no-op for one that sleeps
   * already. When it fails the VM runs on. Throws HIBERNATION_FAILED.
   */
  hibernate: { params: z.object({ id: VmIdSchema }), result: z.object({ status: z.literal('success'), vm: VmSchema, timings: StartResultSchema.shape.timings }) },
  /** Lets a hibernated VM go on where it was, at a new address with the same token. A no-op for one that runs. Throws RESUME_FAILED; it then sleeps on. */
  resume: { params: z.object({ id: VmIdSchema, deadlineMs: z.number().int().positive().default(180_000) }), result: StartResultSchema },
  /** Hibernates every VM that nobody used for a while and whose desktop is away (no agent was asked anything by one for a while). Run by the host's timer. */
  idle: {
    params: z.object({ idleMinutes: z.number().positive().default(30), awayMinutes: z.number().positive().default(5) }),
    result: z.object({ status: z.literal('success'), desktopAway: z.boolean(), hibernated: z.array(VmIdSchema), kept: z.array(z.object({ id: VmIdSchema, why: z.string() })) }),
  },
  inspect: { params: z.object({ id: VmIdSchema }), result: VmSchema },
  /**
   * Keeps one clone of that tier ready, which the next `start` of mode `auto` turns into its VM; null keeps none. Answers at once: it is
   * made when the host has time and memory to spare.
   */
  standby: { params: z.object({ tier: TierSchema.nullable() }), result: z.object({ state: StandbyStateSchema }) },
  list: { params: z.object({}), result: z.object({ vms: z.array(VmSchema), disk: DiskSpaceSchema.optional() }) },
  /** The last lines of the hypervisor's log and the guest's console. */
  logs: { params: z.object({ id: VmIdSchema, lines: z.number().int().positive().max(5000).default(200) }), result: z.object({ lines: z.array(z.string()) }) },
} as const;
export type HostMethods = typeof hostMethods;
export type HostMethod = keyof HostMethods;
export type HostParams<M extends HostMethod> = z.input<HostMethods[M]['params']>;
export type HostResult<M extends HostMethod> = z.output<HostMethods[M]['result']>;

export const HostRequestSchema = z.discriminatedUnion('type', [
  z.object({ v: z.number(), type: z.literal('request'), id: z.number().int(), method: z.string(), params: z.unknown() }),
  z.object({ v: z.number(), type: z.literal('cancel'), id: z.number().int() }),
]);
export const HostMessageSchema = z.discriminatedUnion('type', [
  z.object({ v: z.number(), type: z.literal('result'), id: z.number().int(), result: z.unknown() }),
  z.object({ v: z.number(), type: z.literal('error'), id: z.number().int(), error: ErrorShapeSchema }),
  /** Progress of a request: the step list as it stands (provision), or a stage (start). */
  z.object({ v: z.number(), type: z.literal('steps'), id: z.number().int(), steps: z.array(HostStepSchema) }),
  z.object({ v: z.number(), type: z.literal('stage'), id: z.number().int(), stage: z.string(), progress: z.number().min(0).max(1) }),
  z.object({ v: z.number(), type: z.literal('log'), id: z.number().int().nullable(), level: z.enum(['debug', 'info', 'warn', 'error']), text: z.string() }),
  /** Unasked: a VM changed or died. */
  z.object({ v: z.number(), type: z.literal('vm'), vm: VmSchema }),
]);
export type HostMessage = z.infer<typeof HostMessageSchema>;
