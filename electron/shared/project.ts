import { z } from 'zod';
import { ExcludeConfigSchema, LeftOutSchema } from './archive-rules.ts';
import { ErrorShapeSchema } from './errors.ts';
import { ProjectIdSchema } from './ids.ts';

export const ENVIRONMENT_STATES = ['requested', 'starting', 'running', 'stopping', 'destroying', 'destroyed', 'error', 'hibernated'] as const;
export const EnvironmentStateSchema = z.enum(ENVIRONMENT_STATES);
export type EnvironmentState = z.infer<typeof EnvironmentStateSchema>;

export const TEMPLATE_IDS = ['blank', 'node', 'react-vite', 'python', 'static'] as const;
export const TemplateIdSchema = z.enum(TEMPLATE_IDS);
export type TemplateId = z.infer<typeof TemplateIdSchema>;

/** Machine sizes; each has a template of its own on the host. Memory counts only once it is written; half as much again is compressed swap. */
export const TIERS = {
  small: { vcpus: 1, memoryMiB: 1024 },
  medium: { vcpus: 2, memoryMiB: 2048 },
  large: { vcpus: 2, memoryMiB: 4096 },
} as const;
export const TierSchema = z.enum(['small', 'medium', 'large']);
export type Tier = z.infer<typeof TierSchema>;

export const ProjectSettingsSchema = z.object({
  tier: TierSchema.default('medium'),
  /** 0 switches autosave off. */
  autosaveMinutes: z.number().int().min(0).max(1440).default(5),
  /** 0 switches the idle stop off. */
  idleMinutes: z.number().int().min(0).max(10080).default(30),
  exclude: ExcludeConfigSchema.default({ preset: 'safe', rules: [] }),
});
export type ProjectSettings = z.infer<typeof ProjectSettingsSchema>;

/**
 * What may change of the settings: only the fields that are given. (`ProjectSettingsSchema.partial()` would not do: zod
 * fills in the defaults of absent fields, so a change of one would reset all others.)
 */
export const ProjectSettingsPatchSchema = z.object({
  tier: ProjectSettingsSchema.shape.tier.unwrap().optional(),
  autosaveMinutes: ProjectSettingsSchema.shape.autosaveMinutes.unwrap().optional(),
  idleMinutes: ProjectSettingsSchema.shape.idleMinutes.unwrap().optional(),
  exclude: ProjectSettingsSchema.shape.exclude.unwrap().optional(),
});
export type ProjectSettingsPatch = z.infer<typeof ProjectSettingsPatchSchema>;

/** The host that the workspace was on, and the computer that saved it. `hostId` is null for what no environment made. */
export const OriginSchema = z.object({ hostId: z.string().nullable(), hostName: z.string().nullable(), device: z.string() });
export type Origin = z.infer<typeof OriginSchema>;

export const RevisionSchema = z.object({
  projectId: ProjectIdSchema,
  /** 1, 2, 3 … within the project. */
  rev: z.number().int().positive(),
  parentRev: z.number().int().nullable(),
  /** Lower-case hex of the archive's bytes. */
  sha256: z.string(),
  /** Size of the archive in bytes. */
  bytes: z.number().int(),
  files: z.number().int(),
  /** Sum of the file sizes in bytes. */
  contentBytes: z.number().int(),
  reason: z.enum(['create', 'import', 'save', 'autosave', 'exit', 'idle', 'restore', 'rescue', 'offline-edit']),
  createdAt: z.number(),
  /** When the archive was read back from the store and its hash matched. */
  verifiedAt: z.number(),
  leftOut: z.array(LeftOutSchema),
  /** Name of the branch, for a save that lost a race against another device's; absent on the main line. */
  branch: z.string().optional(),
  /** Never pruned. */
  pinned: z.boolean().optional(),
  /** Where it was made; absent for revisions of an older Vessel. */
  origin: OriginSchema.optional(),
});
export type Revision = z.infer<typeof RevisionSchema>;

export const EnvironmentSchema = z.object({
  projectId: ProjectIdSchema,
  hostId: z.string(),
  state: EnvironmentStateSchema,
  /** Unix milliseconds of the last state change. */
  since: z.number(),
  startedAt: z.number().nullable(),
  lastActivityAt: z.number().nullable(),
  /** True when files changed since the last verified revision (as far as known). */
  dirty: z.boolean(),
  /** The revision the workspace was hydrated from or last saved as. */
  baseRev: z.number().int().nullable(),
  /** How it was started: from a template clone or a cold boot. */
  startKind: z.enum(['clone', 'cold']).nullable(),
  error: ErrorShapeSchema.nullable(),
  /**
   * The line to its host while it is not up; absent while it is, and on this computer. What runs there goes on: `reconnecting` comes back by itself,
   * `down` waits for a person (`hosts.connect`). `state` is then the last one that was seen.
   */
  connection: z.enum(['reconnecting', 'down']).optional(),
});
export type Environment = z.infer<typeof EnvironmentSchema>;

/** How a project stands with the cloud that it also rests in. */
export const ProjectSyncSchema = z.object({
  store: z.enum(['supabase', 's3']),
  /** `pending`: something is still only on this computer; `failed`: and cannot go up until somebody acts. */
  state: z.enum(['synced', 'pending', 'failed']),
  /** Changes that are still only on this computer. */
  pending: z.number().int(),
  /** Two devices saved from the same base: both revisions are kept and one must be chosen. */
  conflict: z.object({ ours: z.number().int(), theirs: z.number().int().nullable(), branch: z.string(), at: z.number() }).nullable(),
  /** Who has it open. */
  lease: z.object({ device: z.string(), since: z.number(), mine: z.boolean() }).nullable(),
  error: ErrorShapeSchema.nullable(),
});
export type ProjectSync = z.infer<typeof ProjectSyncSchema>;

export const ProjectSchema = z.object({
  id: ProjectIdSchema,
  name: z.string().min(1).max(80),
  template: TemplateIdSchema.nullable(),
  hostId: z.string(),
  createdAt: z.number(),
  updatedAt: z.number(),
  lastOpenedAt: z.number().nullable(),
  deletedAt: z.number().nullable(),
  settings: ProjectSettingsSchema,
  /** The current, verified revision; null only while the first one is being written. */
  head: RevisionSchema.nullable(),
  environment: EnvironmentSchema.nullable(),
  /** The operation now working on this project, if any. */
  activeOperationId: z.string().nullable(),
  /** Absent for a project that rests on this computer only. */
  sync: ProjectSyncSchema.optional(),
});
export type Project = z.infer<typeof ProjectSchema>;
