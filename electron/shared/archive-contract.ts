import { z } from 'zod';
import { LeftOutSchema } from './archive-rules.ts';
import { ProjectIdSchema } from './ids.ts';

/**
 * Looking into saved revisions: what the archive calls of the contract carry. Paths are relative to the workspace, with `/`
 * between their parts; bytes of a name that are not UTF-8 are written `\xHH`, and so is a backslash that would read like one of them: every
 * entry has a path of its own.
 */

export const EntryKindSchema = z.enum(['file', 'folder', 'link']);
export type EntryKind = z.infer<typeof EntryKindSchema>;

export const ArchiveEntrySchema = z.object({
  path: z.string(),
  kind: EntryKindSchema,
  /** Bytes of a file's content; 0 for folders. */
  size: z.number(),
  /** Unix permission bits, without the type. */
  mode: z.number().int(),
  /** Unix seconds. */
  mtime: z.number(),
});
export type ArchiveEntry = z.infer<typeof ArchiveEntrySchema>;

/** A revision to look into; without `rev` the current one. */
export const RevisionAddressSchema = z.object({ projectId: ProjectIdSchema, rev: z.number().int().positive().optional() });

/** One folder's children fit a screen many times over; a program pages on with `after`. */
export const TREE_PAGE = 2000;
export const ArchiveTreeInput = RevisionAddressSchema.extend({
  /** The folder whose children are wanted; empty for the workspace itself. */
  folder: z.string().default(''),
  /** The last path of the page before. */
  after: z.string().optional(),
  limit: z.number().int().positive().max(TREE_PAGE).default(TREE_PAGE),
});
export const ArchiveTreeOutput = z.object({
  rev: z.number().int(),
  /** Of the whole revision. */
  totals: z.object({ files: z.number().int(), folders: z.number().int(), links: z.number().int(), bytes: z.number() }),
  /** Folders first, then by name. */
  entries: z.array(ArchiveEntrySchema),
  /** True when the folder has further children after the last of `entries`. */
  more: z.boolean(),
});
export type ArchiveTree = z.infer<typeof ArchiveTreeOutput>;

/** What a viewer can show without choking; larger files are downloaded or copied out. */
export const MAX_VIEW_BYTES = 2 * 1024 * 1024;
export const ArchiveFileInput = RevisionAddressSchema.extend({ path: z.string().min(1), maxBytes: z.number().int().positive().max(MAX_VIEW_BYTES).default(MAX_VIEW_BYTES) });
export const ArchiveFileOutput = ArchiveEntrySchema.extend({
  rev: z.number().int(),
  /** `text` is UTF-8 as it stands in the file; `binary` carries no content; a link's content is its target. */
  content: z.discriminatedUnion('form', [
    z.object({ form: z.literal('text'), text: z.string() }),
    z.object({ form: z.literal('binary') }),
    z.object({ form: z.literal('too-large') }),
  ]),
});
export type ArchiveFile = z.infer<typeof ArchiveFileOutput>;

export const ArchiveSearchInput = RevisionAddressSchema.extend({
  query: z.string().min(1).max(500),
  in: z.enum(['names', 'contents', 'both']).default('both'),
  caseSensitive: z.boolean().default(false),
  wholeWord: z.boolean().default(false),
  /** Only below this folder. */
  folder: z.string().default(''),
  limit: z.number().int().positive().max(5000).default(500),
});
export const ArchiveSearchItem = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('name'), path: z.string(), entryKind: EntryKindSchema, start: z.number().int(), length: z.number().int() }),
  /** `line` starts at 1; `start` and `length` are in UTF-16 units of `text`, which is the line or, of a long one, the part around the hit. */
  z.object({ kind: z.literal('line'), path: z.string(), line: z.number().int(), column: z.number().int(), text: z.string(), start: z.number().int(), length: z.number().int() }),
  z.object({ kind: z.literal('progress'), files: z.number().int(), of: z.number().int() }),
  /** `stopped` says why not everything was searched. */
  z.object({ kind: z.literal('end'), hits: z.number().int(), files: z.number().int(), skippedBinary: z.number().int(), skippedLarge: z.number().int(), limited: z.boolean() }),
]);
export type SearchItem = z.infer<typeof ArchiveSearchItem>;

export const ChangeSchema = z.object({
  path: z.string(),
  change: z.enum(['added', 'removed', 'changed', 'mode']),
  kind: EntryKindSchema,
  before: z.object({ size: z.number(), mode: z.number().int(), kind: EntryKindSchema }).nullable(),
  after: z.object({ size: z.number(), mode: z.number().int(), kind: EntryKindSchema }).nullable(),
});
export type Change = z.infer<typeof ChangeSchema>;
/** More changed paths than this nobody reads; the counts tell the rest. */
export const MAX_CHANGES = 5000;
export const DiffInput = z.object({ projectId: ProjectIdSchema, from: z.number().int().positive(), to: z.number().int().positive(), limit: z.number().int().positive().max(MAX_CHANGES).default(MAX_CHANGES) });
export const DiffOutput = z.object({
  from: z.number().int(), to: z.number().int(),
  counts: z.object({ added: z.number().int(), removed: z.number().int(), changed: z.number().int(), mode: z.number().int() }),
  /** Files and links by path; folders only where they are empty. */
  changes: z.array(ChangeSchema),
  more: z.boolean(),
});
export type RevisionDiff = z.infer<typeof DiffOutput>;

export const HunkSchema = z.object({
  oldStart: z.number().int(), oldLines: z.number().int(), newStart: z.number().int(), newLines: z.number().int(),
  /** Each begins with ` `, `-` or `+`; `\ No newline at end of file` may follow one. */
  lines: z.array(z.string()),
});
export type Hunk = z.infer<typeof HunkSchema>;
export const TextDiffSchema = z.discriminatedUnion('form', [
  z.object({ form: z.literal('text'), hunks: z.array(HunkSchema), added: z.number().int(), removed: z.number().int() }),
  z.object({ form: z.literal('same') }),
  z.object({ form: z.literal('binary') }),
  z.object({ form: z.literal('too-large') }),
]);
export type TextDiff = z.infer<typeof TextDiffSchema>;
export const DiffFileInput = z.object({ projectId: ProjectIdSchema, from: z.number().int().positive(), to: z.number().int().positive(), path: z.string().min(1), context: z.number().int().min(0).max(1000).default(3) });
export const DiffFileOutput = z.object({ path: z.string(), diff: TextDiffSchema });

export const CopyOutInput = RevisionAddressSchema.extend({
  /** Files or folders of the revision; empty for all of it. */
  paths: z.array(z.string()).max(1000).default([]),
  /** A folder of this computer that does not exist yet or is empty. */
  to: z.string(),
});
export const CopyOutOutput = z.object({ rev: z.number().int(), path: z.string(), files: z.number().int(), bytes: z.number(), /** What was not written, like links that lead out of the folder. */ leftOut: z.array(LeftOutSchema) });

export const ArchiveScanInput = RevisionAddressSchema.extend({ /** Files above it are named; what the store takes at most. */ maxFileBytes: z.number().int().positive().optional() });
export const ArchiveScanOutput = z.object({
  rev: z.number().int(),
  /** Files that were read. */
  files: z.number().int(),
  /** `line` null: by the name of the file. `hint` is the beginning of the secret, never the whole. */
  secrets: z.array(z.object({ path: z.string(), kind: z.string(), line: z.number().int().nullable(), hint: z.string() })),
  large: z.array(z.object({ path: z.string(), size: z.number() })),
  /** True when there are more secrets than are told. */
  more: z.boolean(),
});
export type ArchiveScan = z.infer<typeof ArchiveScanOutput>;

/** One thing that is wrong in the cold store, and what became of it. */
export const FsckFindingSchema = z.object({
  projectId: z.string(),
  /** The revisions that name the archive; empty for an archive that none names. */
  revs: z.array(z.number().int()),
  sha256: z.string().nullable(),
  /** `leftover`: an object in a cloud that no revision of any computer names. `unchecked`: it could not be looked at, so nothing is known of it. */
  problem: z.enum(['damaged', 'missing', 'manifest', 'unused', 'leftover', 'unchecked']),
  outcome: z.enum(['repaired', 'repairable', 'lost', 'kept', 'removed', 'unknown']),
  /** What was found, and from where it was repaired. */
  text: z.string(),
});
export type FsckFinding = z.infer<typeof FsckFindingSchema>;
export const FsckReportSchema = z.object({
  projects: z.number().int(), revisions: z.number().int(), archives: z.number().int(), bytes: z.number(), ms: z.number(),
  findings: z.array(FsckFindingSchema),
  /** Archives that lie only in a cloud and were not asked for. */
  elsewhere: z.number().int().default(0),
  /** True when everything that was asked for was looked at, and can be restored now. */
  sound: z.boolean(),
});
export type FsckReport = z.infer<typeof FsckReportSchema>;
