import { z } from 'zod';
import { cloudCalls } from './cloud-contract.ts';
import { encryptionCalls } from './encryption-contract.ts';
import { ExcludeConfigSchema, TopFolderSchema } from './archive-rules.ts';
import { DoctorResultSchema, HostFactsSchema, ProvisionResultSchema, RequestedDriverSchema } from './host-protocol.ts';
import { GuestActivitySchema, GuestMetricsSchema } from './guest-protocol.ts';
import { ProjectIdSchema } from './ids.ts';
import { DraftsSchema } from './draft-contract.ts';
import { ErrorShapeSchema } from './errors.ts';
import { offlineCalls, offlineStreams } from './offline-calls.ts';
import { LogLineSchema, OperationEventSchema, OperationSchema } from './operation.ts';
import { ProjectSchema, ProjectSettingsPatchSchema, ProjectSettingsSchema, RevisionSchema, TemplateIdSchema } from './project.ts';

/**
 * Everything a door (desktop window, browser, CLI, script) can ask of core. The router must implement every call and every
 * stream, or it does not compile. Long work returns an operation id at once; `operations.watch` follows it.
 */

const project = z.object({ projectId: ProjectIdSchema });
const started = z.object({ operationId: z.string() });

/** How a host of kind `ssh` is reached. */
export const HostSshSchema = z.object({
  /** `user@host:port`, an `ssh://` address or an alias of ~/.ssh/config, as it was typed. */
  target: z.string(),
  /** Absolute path of the key to use; null leaves the choice to the agent and the configuration. */
  identityFile: z.string().nullable(),
});
export type HostSsh = z.infer<typeof HostSshSchema>;

/** The line to a host of kind `ssh`, as it is now. */
export const HostConnectionSchema = z.object({
  state: z.enum(['idle', 'connecting', 'connected', 'reconnecting', 'down']),
  /** Unix milliseconds of the next attempt while reconnecting. */
  nextTryAt: z.number().nullable(),
  /** Why it is not connected. */
  error: ErrorShapeSchema.nullable(),
});
export type HostConnection = z.infer<typeof HostConnectionSchema>;

/** What a machine is, seen over SSH before anything was installed there. Sizes in bytes, times in Unix milliseconds. */
export const HostProbeSchema = z.object({
  probedAt: z.number(),
  /** Of one question and its answer over the standing connection. */
  roundTripMs: z.number(),
  hostname: z.string(),
  user: z.string(),
  uid: z.number().int(),
  groups: z.array(z.string()),
  os: z.object({ id: z.string(), version: z.string(), name: z.string() }),
  kernel: z.string(),
  architecture: z.string(),
  cpus: z.number().int(),
  memoryTotalBytes: z.number(),
  memoryAvailableBytes: z.number(),
  /** Where /var lies. */
  diskFreeBytes: z.number(),
  /** `usable`: this user may open it; `no-access`: it exists. Whether a guest really runs is for provisioning to prove. */
  kvm: z.enum(['usable', 'no-access', 'absent']),
  /** `root` needs none; `password` means that sudo exists and would ask. */
  sudo: z.enum(['root', 'passwordless', 'password', 'absent']),
});
export type HostProbe = z.infer<typeof HostProbeSchema>;

/** A question that a login over SSH asks a person; whoever watches may answer. */
export const PromptSchema = z.object({
  promptId: z.string(),
  /** The same as the `promptScope` of the call that caused it. */
  scope: z.string(),
  kind: z.enum(['passphrase', 'password', 'questions']),
  subject: z.string(),
  instructions: z.string(),
  fields: z.array(z.object({ label: z.string(), echo: z.boolean() })),
  mayRemember: z.boolean(),
  attempt: z.number().int(),
});
export type Prompt = z.infer<typeof PromptSchema>;

export const HostSchema = z.object({
  /** `local` is this computer. */
  id: z.string(),
  name: z.string(),
  kind: z.enum(['local', 'ssh']),
  status: z.enum(['unknown', 'not-provisioned', 'ready', 'unreachable']),
  /** The last facts seen, possibly old; see factsAt. */
  facts: HostFactsSchema.nullable(),
  factsAt: z.number().nullable(),
  activeOperationId: z.string().nullable(),
  /** Only for hosts of kind `ssh`. */
  ssh: HostSshSchema.optional(),
  probe: HostProbeSchema.optional(),
  connection: HostConnectionSchema.optional(),
});
export type Host = z.infer<typeof HostSchema>;

export const OrphanSchema = z.object({ hostId: z.string(), vmId: ProjectIdSchema, startedAt: z.number().nullable(), knownProject: z.boolean() });
export type Orphan = z.infer<typeof OrphanSchema>;

/** An audit event: who did what to which thing. */
export const AuditEventSchema = z.object({
  id: z.number().int(),
  at: z.number(),
  kind: z.string(),
  projectId: z.string().nullable(),
  hostId: z.string().nullable(),
  operationId: z.string().nullable(),
  text: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type AuditEvent = z.infer<typeof AuditEventSchema>;

export const SettingsSchema = z.object({
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  defaults: ProjectSettingsSchema.default({ tier: 'medium', autosaveMinutes: 5, idleMinutes: 30, exclude: { preset: 'safe', rules: [] } }),
  /** Keeps one clone of the default size ready on each host, for whoever opens next. */
  keepReady: z.boolean().default(true),
  retention: z.object({ keepRevisions: z.number().int().min(1).max(10_000).default(30), keepDays: z.number().int().min(1).max(3650).default(90), /** What all archives of a project may take together. */ keepBytes: z.number().int().positive().optional() }).default({ keepRevisions: 30, keepDays: 90 }),
  /** How much of the disk copies of a remote store's archives may take. */
  offline: z.object({ budgetBytes: z.number().int().min(0) }).optional(),
  limits: z.object({ maxArchiveBytes: z.number().int().default(4 * 1024 ** 3), maxEntries: z.number().int().default(500_000) }).default({ maxArchiveBytes: 4 * 1024 ** 3, maxEntries: 500_000 }),
});
export type Settings = z.infer<typeof SettingsSchema>;
/** Only the fields that are given change; see {@link ProjectSettingsPatchSchema} for why this is not `partial()`. */
export const SettingsPatchSchema = z.object({
  theme: SettingsSchema.shape.theme.unwrap().optional(),
  defaults: SettingsSchema.shape.defaults.unwrap().optional(),
  keepReady: SettingsSchema.shape.keepReady.unwrap().optional(),
  retention: SettingsSchema.shape.retention.unwrap().optional(),
  offline: SettingsSchema.shape.offline,
  limits: SettingsSchema.shape.limits.unwrap().optional(),
});

/** What an opening came to. It is stored, so no ticket is in it: the address to enter by comes from `environments.url`. */
export const OpenResultSchema = z.object({
  id: ProjectIdSchema,
  /** `http://<id>.localhost:<port>/`, which lets in who has entered before. */
  origin: z.string(),
  state: z.string(),
  startKind: z.enum(['clone', 'cold']),
  /** Milliseconds per stage, from the call to the IDE answering through the gateway. */
  timings: z.array(z.object({ stage: z.string(), ms: z.number() })),
  totalMs: z.number(),
});
export type OpenResult = z.infer<typeof OpenResultSchema>;

/** A program that Save & Exit did not let go on. */
export const StoppedProgramSchema = z.object({
  pid: z.number().int(),
  command: z.string(),
  /** Files of the workspace that it had open for writing, a few at most. */
  wrote: z.array(z.string()),
  /** `ended`: did as it was asked. `held`: did not, was held still for the last save, and ended with the machine. */
  how: z.enum(['ended', 'held']),
});
export type StoppedProgram = z.infer<typeof StoppedProgramSchema>;

export const SaveResultSchema = z.object({
  archive: z.object({ rev: z.number().int(), sha256: z.string(), bytes: z.number(), files: z.number().int(), verifiedAt: z.number() }),
  revision: RevisionSchema,
  /** False when nothing had changed and the head revision was kept. */
  changed: z.boolean(),
  /** Of Save & Exit: what ran and was stopped for it. */
  stopped: z.array(StoppedProgramSchema).optional(),
});
export type SaveResult = z.infer<typeof SaveResultSchema>;

const call = <I extends z.ZodType, O extends z.ZodType>(input: I, output: O) => ({ input, output });
const stream = <I extends z.ZodType, T extends z.ZodType>(input: I, item: T) => ({ input, item });

export const calls = {
  ...offlineCalls,
  'app.info': call(z.object({}), z.object({ version: z.string(), pid: z.number(), home: z.string(), cache: z.string(), baseUrl: z.string(), gatewayPort: z.number(), node: z.string(), uptimeMs: z.number(), runningEnvironments: z.number().int(),
    /** Whether secrets that a person lets Vessel keep are sealed by the system's keychain; otherwise they rest in a private file. */
    secretsSealed: z.boolean().optional() })),
  /** Where a person opens Vessel: carries a fresh one-time ticket (`Gateway.appUrl`). */
  'app.url': call(z.object({}), z.object({ url: z.string() })),
  'app.quit': call(z.object({ force: z.boolean().default(false) }), z.object({ ok: z.literal(true) })),
  'settings.get': call(z.object({}), SettingsSchema),
  'settings.set': call(SettingsPatchSchema, SettingsSchema),

  'projects.list': call(z.object({ includeDeleted: z.boolean().default(false) }), z.object({ projects: z.array(ProjectSchema) })),
  'projects.get': call(project, ProjectSchema),
  'projects.create': call(z.object({ name: z.string().min(1).max(80), template: TemplateIdSchema.default('blank'), hostId: z.string().default('local'), settings: ProjectSettingsPatchSchema.default({}) }), ProjectSchema),
  /** `path` is a zip file or a folder readable by Vessel; browsers upload to POST /api/import instead. */
  /** `path`: absolute, or beginning with `~/`. `topFolder` says what becomes of the one folder that holds all of a zip. */
  'projects.import': call(z.object({ path: z.string(), name: z.string().min(1).max(80).optional(), hostId: z.string().default('local'), topFolder: TopFolderSchema.default('strip') }), started.extend({ projectId: ProjectIdSchema })),
  'projects.update': call(project.extend({ name: z.string().min(1).max(80).optional(), settings: ProjectSettingsPatchSchema.optional() }), ProjectSchema),
  /** Makes another host the one where the project runs. Refused while its environment is not at rest: its files would have to move as well. */
  'projects.move': call(project.extend({ hostId: z.string() }), ProjectSchema),
  /** Soft delete: revisions stay for 30 days. Refused while the environment runs. */
  'projects.delete': call(project, ProjectSchema),
  'projects.undelete': call(project, ProjectSchema),

  /** `hostId` moves the project there first, see `projects.move`. */
  'environments.open': call(project.extend({ hostId: z.string().optional() }), started),
  'environments.save': call(project, started),
  /** Save & Exit. Programs inside are asked to end, and what goes on is held still for the last save; with `keepRunning` CONFLICT instead while something writes. */
  'environments.close': call(project.extend({ keepRunning: z.boolean().default(false) }), started),
  /** Destroys without saving; `confirm` must repeat the project id. */
  'environments.discard': call(project.extend({ confirm: z.string() }), started),
  'environments.activity': call(project, GuestActivitySchema.extend({ idleStopAt: z.number().nullable(), reasons: z.array(z.string()) })),
  'environments.metrics': call(project, GuestMetricsSchema),
  'environments.ports': call(project, z.object({ ports: z.array(z.object({ port: z.number().int(), process: z.string().nullable(), url: z.string() })) })),
  /** An address with a fresh ticket; `frame` asks for the same-site `<id>.vessel.localhost`. `gate` of a page that was loaded ahead: `opened` says that it goes on, and needs no other. */
  'environments.url': call(project.extend({ port: z.number().int().min(1).max(65535).optional(), frame: z.boolean().default(false), gate: z.string().optional() }), z.object({ url: z.string(), origin: z.string(), opened: z.boolean() })),
  /** VS Code's page for a frame, to be loaded before the project is opened: it waits at its gate. Null where there is none (a host that is not set up, an image of another form). */
  'environments.ahead': call(project, z.object({ page: z.object({ url: z.string(), gate: z.string() }).nullable() })),
  'environments.logs': call(project.extend({ lines: z.number().int().positive().max(5000).default(200) }), z.object({ lines: z.array(z.string()) })),
  'environments.orphans': call(z.object({}), z.object({ orphans: z.array(OrphanSchema) })),
  /** Saves an orphan's workspace as a new revision (of a new project when unknown), then ends the VM. */
  'environments.rescue': call(z.object({ hostId: z.string(), vmId: ProjectIdSchema }), started),

  'history.list': call(project, z.object({ revisions: z.array(RevisionSchema), totalBytes: z.number() })),
  /** Makes a new revision with the content of an old one; refused while the environment runs. */
  'history.restore': call(project.extend({ rev: z.number().int().positive() }), started),
  /** Writes a copy of the archive to `path` on this computer; browsers GET /api/projects/<id>/revisions/<rev>.zip instead. */
  'history.export': call(project.extend({ rev: z.number().int().positive().optional(), path: z.string() }), z.object({ path: z.string(), rev: z.number().int(), bytes: z.number(), sha256: z.string() })),
  'history.prune': call(project.extend({ keepRevisions: z.number().int().min(1).optional(), keepDays: z.number().int().min(1).optional(), keepBytes: z.number().int().positive().optional() }), z.object({ removed: z.array(z.number().int()), freedBytes: z.number() })),
  'history.verify': call(project.extend({ rev: z.number().int().positive().optional() }), z.object({ ok: z.boolean(), verifiedAt: z.number(), sha256: z.string() })),
  'exclude.preview': call(z.object({ exclude: ExcludeConfigSchema, paths: z.array(z.string()) }), z.object({ leftOut: z.array(z.object({ path: z.string(), reason: z.string() })) })),

  'hosts.list': call(z.object({}), z.object({ hosts: z.array(HostSchema) })),
  /**
   * Connects to a machine, looks what it is, and remembers it. Nothing is installed there. An unknown host key is refused with
   * HOST_KEY_UNKNOWN, whose `details.fingerprint` a person must confirm in `acceptHostKeys` (one for each hop).
   * Without `promptScope` nobody is asked anything: a passphrase, a password, a second factor then fail with their codes.
   */
  'hosts.add': call(z.object({ target: z.string().min(1).max(300), name: z.string().min(1).max(80).optional(), identityFile: z.string().optional(), acceptHostKeys: z.array(z.string()).default([]), promptScope: z.string().optional() }), HostSchema),
  /** Forgets the host and ends its connection; what is installed there stays. Refused while projects or environments are on it. */
  'hosts.remove': call(z.object({ hostId: z.string() }), z.object({ ok: z.literal(true) })),
  /** For hosts of kind `ssh`: connects again, asking as `hosts.add` does, and throws why it cannot. */
  'hosts.connect': call(z.object({ hostId: z.string(), acceptHostKeys: z.array(z.string()).default([]), promptScope: z.string().optional() }), HostSchema),
  'hosts.refresh': call(z.object({ hostId: z.string() }), HostSchema),
  /** With `promptScope` the password for sudo may be asked for before the work begins; it is kept until Vessel ends. */
  'hosts.plan': call(z.object({ hostId: z.string(), drivers: z.array(RequestedDriverSchema).default([]), promptScope: z.string().optional() }), ProvisionResultSchema),
  'hosts.provision': call(z.object({ hostId: z.string(), drivers: z.array(RequestedDriverSchema).default([]), promptScope: z.string().optional() }), started),
  'hosts.unprovision': call(z.object({ hostId: z.string(), promptScope: z.string().optional() }), started),
  'hosts.doctor': call(z.object({ hostId: z.string() }), DoctorResultSchema),

  /** `answers` null declines, which ends the login. NOT_FOUND when somebody else was faster. */
  'prompts.answer': call(z.object({ promptId: z.string(), answers: z.array(z.string()).nullable(), remember: z.boolean().default(false) }), z.object({ ok: z.literal(true) })),

  'operations.list': call(z.object({ projectId: z.string().optional(), hostId: z.string().optional(), limit: z.number().int().positive().max(500).default(50) }), z.object({ operations: z.array(OperationSchema) })),
  'operations.get': call(z.object({ operationId: z.string() }), OperationSchema),
  'operations.log': call(z.object({ operationId: z.string(), afterSeq: z.number().int().min(0).default(0) }), z.object({ lines: z.array(LogLineSchema) })),
  'operations.cancel': call(z.object({ operationId: z.string() }), OperationSchema),
  /** Starts the same work anew; finished steps are found done. */
  'operations.retry': call(z.object({ operationId: z.string() }), started),
  'events.list': call(z.object({ projectId: z.string().optional(), beforeId: z.number().int().optional(), limit: z.number().int().positive().max(500).default(100) }), z.object({ events: z.array(AuditEventSchema) })),
} as const;

export const streams = {
  ...offlineStreams,
  /** Everything the UI shows, pushed when it changes: first the whole, then single items. */
  'state.watch': stream(z.object({}), z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('snapshot'), projects: z.array(ProjectSchema), hosts: z.array(HostSchema), operations: z.array(OperationSchema), orphans: z.array(OrphanSchema), settings: SettingsSchema }),
    z.object({ kind: z.literal('project'), project: ProjectSchema }),
    z.object({ kind: z.literal('host'), host: HostSchema }),
    z.object({ kind: z.literal('host-removed'), hostId: z.string() }),
    z.object({ kind: z.literal('project-removed'), projectId: ProjectIdSchema }),
    z.object({ kind: z.literal('operation'), operation: OperationSchema }),
    z.object({ kind: z.literal('orphans'), orphans: z.array(OrphanSchema) }),
    z.object({ kind: z.literal('settings'), settings: SettingsSchema }),
    /** Changes made without an environment; told when they change, and once for each project that has some. */
    z.object({ kind: z.literal('drafts'), drafts: DraftsSchema }),
  ])),
  /** Replays the operation and its log after `afterSeq`, then follows; ends when the operation has ended. */
  'operations.watch': stream(z.object({ operationId: z.string(), afterSeq: z.number().int().min(0).default(0) }), OperationEventSchema),
  /** Questions of one scope, as they are asked; `closed` when one was answered or is no longer asked. */
  'prompts.watch': stream(z.object({ scope: z.string().min(8) }), z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('prompt'), prompt: PromptSchema }),
    z.object({ kind: z.literal('closed'), promptId: z.string() }),
  ])),
  /** Runs a command in the environment. Input is sent with `exec.input`; the first item is `started`. */
  'exec.run': stream(
    project.extend({ argv: z.array(z.string()).min(1), cwd: z.string().default(''), env: z.record(z.string(), z.string()).default({}), pty: z.object({ cols: z.number().int(), rows: z.number().int() }).nullable().default(null) }),
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('started'), execId: z.string() }),
      z.object({ kind: z.literal('stdout'), data: z.string() }),
      z.object({ kind: z.literal('stderr'), data: z.string() }),
      z.object({ kind: z.literal('exit'), code: z.number().int().nullable(), signal: z.string().nullable() }),
    ]),
  ),
} as const;

/** Calls that belong to a running `exec.run`; data is base64, as it is in the stream's items. */
export const execCalls = {
  'exec.input': call(z.object({ execId: z.string(), data: z.string() }), z.object({ ok: z.literal(true) })),
  'exec.endInput': call(z.object({ execId: z.string() }), z.object({ ok: z.literal(true) })),
  'exec.signal': call(z.object({ execId: z.string(), signal: z.string() }), z.object({ ok: z.literal(true) })),
  'exec.resize': call(z.object({ execId: z.string(), cols: z.number().int(), rows: z.number().int() }), z.object({ ok: z.literal(true) })),
} as const;

export const allCalls = { ...calls, ...execCalls, ...cloudCalls, ...encryptionCalls } as const;
export type Calls = typeof allCalls;
export type Streams = typeof streams;
export type CallName = keyof Calls;
export type StreamName = keyof Streams;
/** What a caller passes: fields with defaults may be left out. */
export type CallInput<N extends CallName> = z.input<Calls[N]['input']>;
export type CallOutput<N extends CallName> = z.output<Calls[N]['output']>;
export type StreamInput<N extends StreamName> = z.input<Streams[N]['input']>;
export type StreamItem<N extends StreamName> = z.output<Streams[N]['item']>;
export type StateEvent = StreamItem<'state.watch'>;

export type CallContext = { readonly signal: AbortSignal };
/** The whole router. A missing or wrong handler is a compile error. */
export type Handlers = {
  readonly calls: { readonly [N in CallName]: (input: z.output<Calls[N]['input']>, context: CallContext) => Promise<CallOutput<N>> };
  readonly streams: { readonly [N in StreamName]: (input: z.output<Streams[N]['input']>, context: CallContext) => AsyncIterable<StreamItem<N>> };
};
/** What a door holds, whatever the transport. Aborting a call's signal cancels it on the other side. */
export type Client = {
  call<N extends CallName>(name: N, input: CallInput<N>, options?: { readonly signal?: AbortSignal }): Promise<CallOutput<N>>;
  stream<N extends StreamName>(name: N, input: StreamInput<N>, options?: { readonly signal?: AbortSignal }): AsyncIterable<StreamItem<N>>;
};
