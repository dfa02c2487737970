import type { Revision } from '#shared/project.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
export type PruneRule = { readonly keepRevisions: number; readonly keepDays: number };

/**
 * What a prune would remove, newest first: a revision goes when it is beyond the newest `keepRevisions` or older than
 * `keepDays`. The newest one never goes.
 */
export function previewPrune(revisions: readonly Revision[], rule: PruneRule, now: number): readonly Revision[] {
  const newestFirst = revisions.toSorted((a, b) => b.rev - a.rev);
  return newestFirst.filter((revision, index) => index > 0 && (index >= rule.keepRevisions || revision.createdAt < now - rule.keepDays * DAY_MS));
}
