import { z } from 'zod';
import {
  ArchiveFileInput, ArchiveFileOutput, ArchiveScanInput, ArchiveScanOutput, ArchiveSearchInput, ArchiveSearchItem, ArchiveTreeInput, ArchiveTreeOutput, CopyOutInput, CopyOutOutput, DiffFileInput, DiffFileOutput, DiffInput, DiffOutput,
} from './archive-contract.ts';
import { DraftChoiceSchema, DraftGetOutput, DraftPutInput, DraftReviewOutput, DraftsSchema } from './draft-contract.ts';
import { ProjectIdSchema } from './ids.ts';
import { RevisionSchema } from './project.ts';

const call = <I extends z.ZodType, O extends z.ZodType>(input: I, output: O) => ({ input, output });
const stream = <I extends z.ZodType, T extends z.ZodType>(input: I, item: T) => ({ input, item });
const project = z.object({ projectId: ProjectIdSchema });
const started = z.object({ operationId: z.string() });

/** The calls of the contract that need no environment: looking into revisions, comparing, editing, checking. */
export const offlineCalls = {
  'archive.tree': call(ArchiveTreeInput, ArchiveTreeOutput),
  'archive.file': call(ArchiveFileInput, ArchiveFileOutput),
  /** Writes files of a revision to a folder of this computer. Browsers GET /api/projects/<id>/revisions/<rev>/files/<path> instead. */
  'archive.copyOut': call(CopyOutInput, CopyOutOutput),

  /** Looks for secrets and for files that a store does not take, before something leaves this computer. */
  'archive.scan': call(ArchiveScanInput, ArchiveScanOutput),

  'history.diff': call(DiffInput, DiffOutput),
  'history.diffFile': call(DiffFileInput, DiffFileOutput),
  /** A new revision in which the given files and folders are as they were in `rev`; refused while the environment runs. */
  'history.restoreFiles': call(project.extend({ rev: z.number().int().positive(), paths: z.array(z.string().min(1)).min(1).max(1000) }), started),
  'history.pin': call(project.extend({ rev: z.number().int().positive(), pinned: z.boolean() }), RevisionSchema),

  /** Reads every archive of the store back and compares; with `repair`, damaged ones are replaced by a sound copy where there is one. Names what uploads left in a cloud for more than a day; `sweep` removes that. `copies` also fetches what the clouds hold, compares it, and sends damaged ones again. */
  'store.check': call(z.object({ projectId: ProjectIdSchema.optional(), repair: z.boolean().default(true), sweep: z.boolean().default(false), copies: z.boolean().default(false) }), started),

  'drafts.list': call(project, DraftsSchema),
  'drafts.get': call(project.extend({ path: z.string() }), DraftGetOutput),
  /** Keeps a change at once; a pause later it becomes a revision. Throws ILLEGAL_TRANSITION while the environment runs, CONFLICT on another base, and with `changedElsewhere` when the file is no longer what was `seen`. */
  'drafts.put': call(DraftPutInput, DraftsSchema),
  'drafts.discard': call(project.extend({ paths: z.array(z.string()).optional() }), DraftsSchema),
  /** Makes a revision of the drafts now. Throws DRAFTS_OUTDATED when the project moved on. */
  'drafts.save': call(project, started),
  /** How the drafts fit what the project became, and the same as a patch for `git apply`. */
  'drafts.review': call(project, DraftReviewOutput),
  /** Puts the drafts on the present head, file by file; what is left is saved. */
  'drafts.resolve': call(project.extend({ choices: z.array(DraftChoiceSchema).min(1) }), DraftsSchema),

  /** What can be read with the network off. */
  'offline.status': call(z.object({}), z.object({ whole: z.boolean(), bytes: z.number(), archives: z.number().int(), budgetBytes: z.number(), kept: z.array(z.string()), available: z.array(z.string()) })),
  /** Keeps the last safe copy of a project on this computer whatever the budget. */
  'offline.keep': call(project.extend({ keep: z.boolean() }), z.object({ kept: z.array(z.string()) })),
} as const;

export const offlineStreams = {
  /** Names, then contents of one revision; the last item is `end`. Aborting the stream ends the search. */
  'archive.search': stream(ArchiveSearchInput, ArchiveSearchItem),
} as const;
