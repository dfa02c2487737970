import type { Revision } from '#shared/project.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
export type PruneRule = { readonly keepRevisions: number; readonly keepDays: number };

/**
 * What a prune would remove, newest first: a revision goes when it is beyond the newest `keepRevisions` or older than
 * `keepDays`. The newest and pinned ones never go. (Vessel also folds offline edits of the same ten minutes.)
 */
export function previewPrune(revisions: readonly Revision[], rule: PruneRule, now: number): readonly Revision[] {
  let kept = 0;
  return revisions.toSorted((a, b) => b.rev - a.rev).filter((revision, index) => {
    const goes = index > 0 && revision.pinned !== true && (kept >= rule.keepRevisions || revision.createdAt < now - rule.keepDays * DAY_MS);
    if (!goes) kept += 1;
    return goes;
  });
}
