import { z } from 'zod';
import { ExcludeConfigSchema } from './archive-rules.ts';
import { guestCount, guestLine, guestList, guestNumber, guestTime } from './guest-text.ts';

/**
 * The protocol of the guest agent, the same in every VM whatever the driver.
 *
 * One TCP port: {@link GUEST_AGENT_PORT} inside; a machine with an address of its own shows it as {@link GUEST_CONTRACT_PORT}. Every request carries `Authorization: Bearer <token>`; a wrong or missing
 * token is answered 401 with an ErrorShape, before anything else is looked at. Errors are always `{error: ErrorShape}` JSON.
 *
 * Agent calls live under `/_vessel/v1/`; everything else is the IDE.
 *
 * | call | what |
 * |---|---|
 * | `GET  health`      | {@link GuestHealthSchema} |
 * | `POST identity`    | {@link GuestIdentitySchema}; the bearer is the *current* token, afterwards only the new one works |
 * | `POST wake`        | {@link GuestWakeSchema}; after a hibernation: only the clock and the entropy are new, everything else stays |
 * | `PUT  workspace?links=refuse|keep&maxBytes=&maxEntries=` | body: zip, any Content-Length or chunked → {@link WorkspaceInResultSchema}. Replaces the content of an empty workspace; all or nothing for unsafe archives (checked before the first file is written) |
 * | `POST workspace/save` | body {@link WorkspaceOutRequestSchema} → streamed *stored* zip (see below), trailer entry none; the summary comes as the HTTP trailer `x-vessel-summary` (base64url JSON of {@link WorkspaceOutSummarySchema}); a stream that failed midway has `x-vessel-error` (the same of an ErrorShape) instead; one with neither is incomplete |
 * | `POST exec`        | upgrade to WebSocket, see {@link ExecClientMessageSchema} (also pty) |
 * | `GET  files?path=` / `PUT files?path=` / `DELETE files?path=` | one file inside the workspace, raw bytes; a folder lists as {@link FileListSchema} |
 * | `GET  programs?watchMs=` | {@link GuestProgramsSchema}: what a person runs, and what changes in the workspace within that time |
 * | `POST programs/end` | {@link GuestEndRequestSchema} → {@link GuestProgramsSchema}: asks them to end and waits |
 * | `PUT  still`       | {@link GuestStillRequestSchema} → {@link GuestStillSchema}: nothing in the workspace moves until the lease ends or `DELETE still` |
 * | `GET  activity`    | {@link GuestActivitySchema} |
 * | `GET  metrics`     | {@link GuestMetricsSchema} |
 * | `GET  ports`       | `{ports:[{port,address,process}]}` listening TCP ports of the guest |
 * | `POST shutdown`    | sync and power off (the driver uses it for a clean stop) |
 * | `ANY  /_vessel/port/<n>/<path>` | the guest's own port n on its loopback, path and `Host` as the client sent (`x-forwarded-host` kept), WebSocket included; 502 GUEST_PORT_CLOSED when nothing listens |
 *
 * The stored zip of a save: every local header carries the true CRC-32 and sizes (no data descriptors, method 0), so the
 * desktop can check each entry and compress it natively while it streams. Zip64 where needed, UTF-8 flag, the whole Unix mode
 * in the external attributes, mtime in the 0x5455 extra field, directories as entries ending in `/`, symlinks as entries with mode 0120000.
 * Owners other than the workspace's user, exact times, extended attributes, hard links and holes: see archive-fields.ts. A file with holes comes
 * with METHOD_SPARSE, and goes back so: its zeros are counted, not sent.
 */
/** Above the ports that the kernel gives to clients (32768–60999), and none that a program is known for: 3000 and 3001 belong to people's servers. */
export const GUEST_AGENT_PORT = 64_873;
/** Where VS Code listens, on the guest's loopback. */
export const GUEST_IDE_PORT = 64_874;
/** The port under which machines with an address of their own show their agent outside. */
export const GUEST_CONTRACT_PORT = 3000;
export const GUEST_API_PREFIX = '/_vessel/v1';
export const GUEST_PORT_PREFIX = '/_vessel/port';
export const GUEST_PROTOCOL_VERSION = 1;

export const GuestHealthSchema = z.object({
  v: guestCount,
  agent: guestLine(100),
  /** True once the IDE answers its own health check and its first page has been rendered once. */
  ideReady: z.boolean(),
  ide: z.object({ name: z.enum(['code-server', 'openvscode-server']), version: guestLine(100), commit: guestLine(100).nullable() }),
  hostname: guestLine(253),
  /** Unix ms by the guest's clock. */
  now: guestTime,
  bootedAt: guestTime,
});
export type GuestHealth = z.infer<typeof GuestHealthSchema>;

/** What must be unique or fresh after a clone; sent right after every start, before any route opens. */
export const GuestIdentitySchema = z.object({
  token: z.string().min(32),
  hostname: z.string(),
  /** 32 hex digits. */
  machineId: z.string(),
  /** Unix ms of the host's clock at sending. */
  epochMs: z.number(),
  /** Base64, at least 32 bytes, mixed into the kernel's pool. */
  entropy: z.string(),
  /** IANA name, e.g. `Europe/Berlin`. */
  timezone: z.string().default('UTC'),
  /** Resolvers to write to /etc/resolv.conf; empty keeps what is there. */
  nameservers: z.array(z.string()).default([]),
  /** Extra environment for the IDE, exec and terminals. Values may be secret. */
  env: z.record(z.string(), z.string()).default({}),
});
export type GuestIdentity = z.infer<typeof GuestIdentitySchema>;

/** What a machine that slept must be told when it goes on. */
export const GuestWakeSchema = GuestIdentitySchema.pick({ epochMs: true, entropy: true });
export type GuestWake = z.infer<typeof GuestWakeSchema>;

export const WorkspaceInResultSchema = z.object({ entries: guestCount, files: guestCount, contentBytes: guestCount });
export type WorkspaceInResult = z.infer<typeof WorkspaceInResultSchema>;

export const WorkspaceOutRequestSchema = z.object({
  exclude: ExcludeConfigSchema,
  /** Beyond these nothing is read: ARCHIVE_TOO_LARGE names the largest files. Bytes as files say their size, holes counted. */
  limits: z.object({ maxBytes: z.number().int().positive(), maxEntries: z.number().int().positive() }).optional(),
});
/** The agent cuts its lists earlier, to what fits into a trailer. */
const MAX_LISTED = 1000;
export const WorkspaceOutSummarySchema = z.object({
  entries: guestCount,
  files: guestCount,
  contentBytes: guestCount,
  leftOut: guestList(z.object({ path: guestLine(4096), reason: guestLine(300) }), MAX_LISTED),
  /** Paths that changed while being read; the copy saved is one consistent read of each. */
  changedWhileReading: guestList(guestLine(4096), MAX_LISTED),
  /** What a person should know besides, for instance that a Git index could not be read. */
  warnings: guestList(guestLine(1000), 20).optional(),
  /** A number that grows with every change the agent noticed; equal before and after means nothing changed meanwhile. */
  changeCounter: guestCount,
});
export type WorkspaceOutSummary = z.infer<typeof WorkspaceOutSummarySchema>;

/** First message of an exec WebSocket is `start`. stdin and output travel as binary frames: first byte 0 stdin, 1 stdout, 2 stderr. */
export const ExecClientMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    argv: z.array(z.string()).min(1),
    /** Relative to the workspace, or absolute. */
    cwd: z.string().default(''),
    env: z.record(z.string(), z.string()).default({}),
    /** With a pty, stdout carries both streams. */
    pty: z.object({ cols: z.number().int(), rows: z.number().int() }).nullable().default(null),
  }),
  z.object({ type: z.literal('signal'), signal: z.string() }),
  z.object({ type: z.literal('resize'), cols: z.number().int(), rows: z.number().int() }),
  z.object({ type: z.literal('stdin-end') }),
]);
export type ExecClientMessage = z.infer<typeof ExecClientMessageSchema>;
export const ExecServerMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('started'), pid: guestCount }),
  z.object({ type: z.literal('exit'), code: z.number().int().min(0).max(255).nullable(), signal: guestLine(20).nullable() }),
  z.object({ type: z.literal('error'), /** See `guestFailure`. */ error: z.unknown() }),
]);
export type ExecServerMessage = z.infer<typeof ExecServerMessageSchema>;
export const EXEC_FRAME = { stdin: 0, stdout: 1, stderr: 2 } as const;

export const FileListSchema = z.object({
  entries: guestList(z.object({ name: guestLine(255), kind: z.enum(['file', 'dir', 'link', 'other']), size: guestNumber, mtimeMs: z.number().min(-8.64e15).max(8.64e15) }), 10_000),
});

/** When each kind of activity was last seen, Unix ms by the guest's clock; null for never since the start. */
export const GuestActivitySchema = z.object({
  now: guestTime,
  ide: guestTime.nullable(),
  terminal: guestTime.nullable(),
  http: guestTime.nullable(),
  file: guestTime.nullable(),
  exec: guestTime.nullable(),
  /** Open IDE WebSockets, running execs, terminals: reasons why the environment is still alive. */
  open: z.object({ ide: guestCount, exec: guestCount, terminal: guestCount }),
  /** See WorkspaceOutSummary.changeCounter. */
  changeCounter: guestCount,
  /** The number of the hold while the workspace is held still. */
  hold: guestCount.optional(),
});
export type GuestActivity = z.infer<typeof GuestActivitySchema>;

/** More of them no agent of ours tells. */
const MAX_PROGRAMS = 100;
/** Words that anything inside may have chosen. */
const ToldSchema = guestLine(400);

/** A program that a person runs in the guest. */
export const GuestProgramSchema = z.object({
  pid: guestCount,
  command: ToldSchema,
  /** Files of the workspace that it had open for writing, a few at most. */
  wrote: guestList(ToldSchema, MAX_PROGRAMS),
  /** `ended`: did as it was asked. `running`: did not, or was not asked. */
  how: z.enum(['running', 'ended']),
});
export type GuestProgram = z.infer<typeof GuestProgramSchema>;
export const GuestProgramsSchema = z.object({
  programs: guestList(GuestProgramSchema, MAX_PROGRAMS),
  /** Paths in the workspace that changed while we looked, a few at most. */
  changing: guestList(ToldSchema, MAX_PROGRAMS),
});
export type GuestPrograms = z.infer<typeof GuestProgramsSchema>;
export const GuestEndRequestSchema = z.object({ waitMs: z.number().int().min(0).max(60_000) });
/** Milliseconds after which everything goes on by itself unless the call is repeated. */
export const GuestStillRequestSchema = z.object({ leaseMs: z.number().int().min(1).max(600_000) });
/** The number of the hold: another one means that things moved in between. */
export const GuestStillSchema = z.object({ hold: guestCount });

export const GuestMetricsSchema = z.object({
  cpuPercent: guestNumber,
  memoryUsedBytes: guestNumber,
  memoryTotalBytes: guestNumber,
  /** Compressed swap; none in an older image. */
  swapUsedBytes: guestNumber.default(0),
  swapTotalBytes: guestNumber.default(0),
  diskUsedBytes: guestNumber,
  diskTotalBytes: guestNumber,
  load1: guestNumber,
  /** How often the kernel ended a process because memory ran out, and the last one's name. */
  memoryKills: z.object({ count: guestCount, process: guestLine(64).nullable() }).default({ count: 0, process: null }),
  processes: guestCount,
});
export type GuestMetrics = z.infer<typeof GuestMetricsSchema>;

/** Listening TCP ports. */
export const GuestPortsSchema = z.object({ ports: guestList(z.object({ port: z.number().int().min(1).max(65_535), address: guestLine(64), process: guestLine(200).nullable() }), 1024) });
