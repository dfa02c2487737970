/** What retention must know of a revision. */
export type RetainedRevision = { readonly rev: number; readonly createdAt: number };
export type RetentionPolicy = { readonly keepRevisions: number; readonly keepDays: number };

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The revisions to prune, oldest first: those beyond the newest `keepRevisions` and those older than `keepDays`.
 * The head and the newest revision always stay, so a project is never left without one.
 */
export function revisionsToPrune(revisions: readonly RetainedRevision[], headRev: number | null, policy: RetentionPolicy, now: number): readonly number[] {
  const newestFirst = [...revisions].sort((a, b) => b.rev - a.rev);
  const oldest = now - policy.keepDays * DAY_MS;
  return newestFirst
    .filter((revision, index) => index > 0 && revision.rev !== headRev && (index >= policy.keepRevisions || revision.createdAt < oldest))
    .map((revision) => revision.rev)
    .reverse();
}

/** A deleted project can be brought back this long. */
export const UNDELETE_DAYS = 30;
export function isPurgeable(deletedAt: number | null, now: number): boolean {
  return deletedAt !== null && now - deletedAt > UNDELETE_DAYS * DAY_MS;
}
