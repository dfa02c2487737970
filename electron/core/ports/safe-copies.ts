/** How much of the disk copies may take, and which projects keep theirs whatever the budget. */
export type CopiesPolicy = { readonly budgetBytes: number; readonly kept: ReadonlySet<string> };
export type CopyStats = { readonly bytes: number; readonly archives: number };
export type WantedCopy = { readonly projectId: string; readonly sha256: string; readonly bytes: number };

/** A copy in use: it is not evicted before `release`. */
export type BorrowedCopy = { readonly path: string; release(): void };

/**
 * Archives as files of this computer, whatever the cold store is made of: what can be read with the network off. For a store
 * whose archives are local files these are the archives themselves; for any other one a cache of checked copies.
 * Every adapter passes the same contract suite.
 */
export type SafeCopies = {
  /** True when every archive of the store is a file of this computer, so that nothing has to be kept beside it. */
  readonly whole: boolean;
  /** A copy whose hash was right when it came here; fetched when it is not here. Throws NOT_FOUND, ARCHIVE_CORRUPT, CANCELLED, or what the store throws when it cannot be reached. */
  borrow(projectId: string, sha256: string, signal: AbortSignal): Promise<BorrowedCopy>;
  /** True when it can be read with the network off. */
  has(projectId: string, sha256: string): Promise<boolean>;
  /** The path of a second copy, read and compared just now, to repair the store from; null when there is none. */
  spare(projectId: string, sha256: string): Promise<string | null>;
  /** Brings copies here, the first ones first, as far as the budget goes; those of kept projects always. Answers the projects whose copy could not be fetched. */
  keep(wanted: readonly WantedCopy[], signal: AbortSignal): Promise<readonly string[]>;
  /** Removes what was used least recently until the budget holds; copies in use and those of kept projects stay. Answers how many went. */
  evict(): Promise<number>;
  stats(): Promise<CopyStats>;
};
