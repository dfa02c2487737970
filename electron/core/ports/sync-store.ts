import type { ErrorShape } from '#shared/errors.ts';
import type { ProjectSync, Revision } from '#shared/project.ts';
import type { ProjectRecord } from './project-record.ts';
import type { RemoteKind, UploadJournal } from './remote-store.ts';

export type OutboxKind = 'create' | 'rename' | 'delete' | 'save' | 'prune' | 'purge';
/** A change that the cloud must still hear of. Written by the database together with the change. */
export type OutboxEntry = {
  readonly id: number;
  readonly projectId: string;
  readonly kind: OutboxKind;
  /** `save`: the revision's number and its parent's; `prune`: what the removed revision was. */
  readonly data: { readonly rev?: number; readonly parent?: number | null; readonly sha256?: string; readonly createdAt?: number };
  readonly attempts: number;
};

/** What this computer knows of a project in the cloud. */
export type SyncRecord = {
  readonly projectId: string;
  readonly store: RemoteKind;
  /** The newest archive of the cloud's main line that this computer's line contains. A save on top of it goes to the main line. */
  readonly baseArchiveId: string | null;
  /** Set while this computer's line is a branch: its saves lost a race. */
  readonly branch: string | null;
  /** The cloud has moved on; to be taken over as soon as the project rests. */
  readonly stale: boolean;
  readonly conflict: ProjectSync['conflict'];
  readonly lease: (NonNullable<ProjectSync['lease']> & { readonly sessionId: string | null }) | null;
  readonly error: ErrorShape | null;
};

/** A revision of the cloud to be taken over; its number is given here. */
export type AdoptedRevision = Omit<Revision, 'rev' | 'parentRev'> & { readonly archiveId: string; readonly parentId: string | null };

export type SyncStore = {
  /** Small facts by name: the account, the cursor, the default store. */
  readonly facts: { get(key: string): string | null; put(key: string, value: string | null): void };
  readonly uploads: UploadJournal;
  get(projectId: string): SyncRecord | null;
  list(): readonly SyncRecord[];
  put(record: SyncRecord): void;
  forget(projectId: string): void;
  /** For doors; null for a project that is only here. */
  status(projectId: string): ProjectSync | null;
  readonly outbox: {
    /** Of each project the oldest entry, if it is due; the oldest project first. */
    due(now: number): readonly OutboxEntry[];
    /** How many entries wait, of one project or of all. */
    count(projectId: string | null): number;
    has(projectId: string, kinds: readonly OutboxKind[]): boolean;
    done(id: number): void;
    failed(id: number, error: ErrorShape, nextTryAt: number): void;
    /** Owes these; for a project that moves into a cloud. */
    add(projectId: string, kind: OutboxKind, data?: OutboxEntry['data']): void;
    clear(projectId: string): void;
    /** Makes everything due now. */
    hurry(): void;
  };
  /** The earliest time at which an entry is due; null when nothing waits. */
  nextDueAt(): number | null;
  /**
   * One transaction, for which nothing is owed: makes the project if it is unknown, renames it, adds revisions at the end of its
   * line, moves the head to the revision with hash and time of `head`, and writes the record. Returns the added revisions.
   */
  adopt(change: {
    readonly record: SyncRecord;
    readonly project: Pick<ProjectRecord, 'id' | 'name' | 'template' | 'createdAt' | 'settings' | 'deletedAt' | 'hostId'>;
    readonly revisions: readonly AdoptedRevision[];
    readonly revOf: (archiveId: string | null) => number | null;
    readonly headRev: (added: readonly (Revision & { readonly archiveId: string })[]) => number | null;
    readonly now: number;
  }): readonly Revision[];
  /** Marks a revision as one of a branch; null puts it on the main line. */
  setBranch(projectId: string, rev: number, branch: string | null): void;
};
