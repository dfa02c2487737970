import { z } from 'zod';
import { TextDiffSchema } from './archive-contract.ts';
import { ProjectIdSchema } from './ids.ts';

/** Changes to a project that were made without its environment: kept at once, and saved as a revision after a pause. */

/** A person's edit is text; anything larger belongs into the environment. */
export const MAX_DRAFT_BYTES = 2 * 1024 * 1024;
/** Quiet this long after the last change, drafts are saved as a revision. */
export const DRAFT_SAVE_PAUSE_MS = 5_000;

export const DraftSchema = z.object({
  path: z.string(),
  change: z.enum(['changed', 'removed']),
  bytes: z.number().int(),
  updatedAt: z.number(),
  /** `textVersion` of what is kept; null for a removal. */
  version: z.string().nullable(),
});
export type Draft = z.infer<typeof DraftSchema>;

export const DraftsSchema = z.object({
  projectId: ProjectIdSchema,
  /** The revision that the changes were made on; null without changes. */
  baseRev: z.number().int().nullable(),
  headRev: z.number().int().nullable(),
  /** `clean`: nothing to save. `pending`: will be saved. `review`: the project moved on meanwhile. `locked`: the environment runs. */
  state: z.enum(['clean', 'pending', 'review', 'locked']),
  drafts: z.array(DraftSchema),
});
export type Drafts = z.infer<typeof DraftsSchema>;

export const DraftPutInput = z.object({
  projectId: ProjectIdSchema,
  path: z.string().min(1).max(4096),
  /** Null removes the file. */
  text: z.string().max(MAX_DRAFT_BYTES).nullable(),
  /** The revision that the editor shows; a draft on another base than the earlier ones is refused. */
  baseRev: z.number().int().positive(),
  /** `textVersion` of the text that this change was typed over; null when there was no file. What somebody else made of it meanwhile is then not overwritten. */
  seen: z.string().max(100).nullable().optional(),
});
export const DraftGetOutput = z.object({ path: z.string(), text: z.string().nullable(), updatedAt: z.number() }).nullable();

/** How one draft fits the project as it is now. */
export const DraftReviewSchema = z.object({
  path: z.string(),
  /** `clean`: nobody else changed the file. `merges`: both did, in different lines. `conflict`: in the same lines. */
  fit: z.enum(['clean', 'merges', 'conflict']),
  /** What the draft changed, against its own base. */
  mine: TextDiffSchema,
  /** What changed meanwhile, against the same base. */
  theirs: TextDiffSchema,
});
export const DraftReviewOutput = z.object({ projectId: ProjectIdSchema, baseRev: z.number().int().nullable(), headRev: z.number().int().nullable(), files: z.array(DraftReviewSchema), patch: z.string() });
export type DraftReview = z.infer<typeof DraftReviewOutput>;
/** `merge` takes both sides' changes and is refused for a conflict, `mine` takes the draft whole, `theirs` drops it. */
export const DraftChoiceSchema = z.object({ path: z.string(), take: z.enum(['merge', 'mine', 'theirs']) });
