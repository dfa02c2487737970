/** What retention must know of a revision. */
export type RetainedRevision = { readonly rev: number; readonly createdAt: number; readonly sha256?: string; readonly bytes?: number; readonly pinned?: boolean | undefined; readonly reason?: string };
/** `keepBytes` bounds what distinct archives take together. */
export type RetentionPolicy = { readonly keepRevisions: number; readonly keepDays: number; readonly keepBytes?: number | undefined };

const DAY_MS = 24 * 60 * 60 * 1000;
/** Offline edits are saved after each pause of the typing; of those within one such span only the last stays. */
const EDIT_SPAN_MS = 10 * 60 * 1000;

/**
 * The revisions to prune, oldest first: offline edits that a later one of the same ten minutes contains, those beyond the newest
 * `keepRevisions`, those older than `keepDays`, and those with which all archives together exceed `keepBytes`.
 * The head, the newest revision and pinned ones always stay, so a project is never left without one.
 */
export function revisionsToPrune(revisions: readonly RetainedRevision[], headRev: number | null, policy: RetentionPolicy, now: number): readonly number[] {
  const newestFirst = [...revisions].sort((a, b) => b.rev - a.rev);
  const stays = ({ rev, pinned }: RetainedRevision): boolean => rev === newestFirst[0]?.rev || rev === headRev || pinned === true;
  const oldest = now - policy.keepDays * DAY_MS;
  const removed: number[] = [];
  const sizes = new Map<string, number>();
  // What stays whatever happens counts first.
  for (const revision of newestFirst) if (stays(revision)) sizes.set(revision.sha256 ?? `${revision.rev}`, revision.bytes ?? 0);
  let bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let kept = 0;
  for (const [index, revision] of newestFirst.entries()) {
    const folded = isFolded(revision, newestFirst[index - 1]);
    const added = sizes.has(revision.sha256 ?? `${revision.rev}`) ? 0 : revision.bytes ?? 0;
    const over = kept >= policy.keepRevisions || revision.createdAt < oldest || (policy.keepBytes !== undefined && bytes + added > policy.keepBytes);
    if (!stays(revision) && (folded || over)) { removed.push(revision.rev); continue; }
    kept += 1;
    bytes += added;
    sizes.set(revision.sha256 ?? `${revision.rev}`, revision.bytes ?? 0);
  }
  return removed.reverse();
}

function isFolded(revision: RetainedRevision, newer: RetainedRevision | undefined): boolean {
  return revision.reason === 'offline-edit' && newer?.reason === 'offline-edit' && Math.floor(revision.createdAt / EDIT_SPAN_MS) === Math.floor(newer.createdAt / EDIT_SPAN_MS);
}

/** A deleted project can be brought back this long. */
export const UNDELETE_DAYS = 30;
export function isPurgeable(deletedAt: number | null, now: number): boolean {
  return deletedAt !== null && now - deletedAt > UNDELETE_DAYS * DAY_MS;
}
