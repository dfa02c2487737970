import type { AuditEvent, Host, Settings } from '#shared/contract.ts';
import type { LogLine, Operation } from '#shared/operation.ts';
import type { Environment, Revision } from '#shared/project.ts';
import type { ProjectRecord } from './project-record.ts';
import type { SyncStore } from './sync-store.ts';

export type { ProjectRecord } from './project-record.ts';
/** `savedCounter` is the guest's change counter at the base revision; null when unknown. */
export type EnvironmentRecord = Omit<Environment, 'connection'> & { readonly savedCounter: number | null };
/** The connection is of this moment and not stored. */
export type HostRecord = Omit<Host, 'activeOperationId' | 'connection'>;
export type NewRevision = Omit<Revision, 'rev' | 'parentRev'>;
/** A change made without the environment; `text` null removes the file. */
export type DraftRecord = { readonly projectId: string; readonly path: string; readonly text: string | null; readonly baseRev: number; readonly updatedAt: number };
/** What a retry calls again. */
export type OperationRequest = { readonly call: string; readonly input: unknown } | null;

/** Desktop state. Synchronous: one SQLite file, read before any network answers. */
export type Store = {
  readonly projects: {
    list(includeDeleted: boolean): readonly ProjectRecord[];
    /** Whether there is none, not even a deleted one. */
    isEmpty(): boolean;
    get(id: string): ProjectRecord | null;
    insert(project: Pick<ProjectRecord, 'id' | 'name' | 'template' | 'hostId' | 'createdAt' | 'settings'>): void;
    update(id: string, patch: Partial<Pick<ProjectRecord, 'name' | 'hostId' | 'settings' | 'lastOpenedAt' | 'deletedAt'>>, now: number): void;
    /** Deletes the project and all that hangs on it. */
    remove(id: string): void;
  };
  readonly revisions: {
    list(projectId: string): readonly Revision[];
    get(projectId: string, rev: number): Revision | null;
    /**
     * One transaction: adds the revision and moves the head to it if the head still is `expectedHead`; an environment based
     * on that head is then based on the new one, so that no crash makes its own last save look like somebody else's.
     * Otherwise the revision is kept without becoming the head, and `flipped` is false.
     */
    append(revision: NewRevision, expectedHead: number | null): { readonly revision: Revision; readonly flipped: boolean };
    /** Puts back a revision of known number (rebuilding from manifests); the highest becomes the head. */
    adopt(revision: Revision): void;
    remove(projectId: string, revs: readonly number[]): void;
    isUsed(projectId: string, sha256: string): boolean;
    setVerified(projectId: string, rev: number, at: number): void;
    /** The manifest beside the archive is then to be written again. */
    setPinned(projectId: string, rev: number, pinned: boolean): void;
    /** Every project with a revision of that content. */
    holders(sha256: string): readonly string[];
    /** Revisions whose manifest was not yet written beside the archive. */
    withoutManifest(): readonly Revision[];
    markManifest(projectId: string, rev: number): void;
  };
  readonly environments: {
    get(projectId: string): EnvironmentRecord | null;
    list(): readonly EnvironmentRecord[];
    put(environment: EnvironmentRecord): void;
  };
  readonly hosts: { list(): readonly HostRecord[]; get(id: string): HostRecord | null; put(host: HostRecord): void; remove(id: string): void };
  readonly operations: {
    put(operation: Operation, request: OperationRequest): void;
    get(id: string): Operation | null;
    request(id: string): OperationRequest;
    list(filter: { readonly projectId?: string | undefined; readonly hostId?: string | undefined; readonly limit: number }): readonly Operation[];
    running(): readonly Operation[];
    appendLog(id: string, lines: readonly LogLine[]): void;
    log(id: string, afterSeq: number): readonly LogLine[];
    /** Keeps the newest `keep` lines of an operation, and of these what `maxBytes` hold. */
    trimLog(id: string, keep: number, maxBytes: number): void;
    /** Keeps the newest `keep` operations, and of these what `maxBytes` hold with their logs; those that run and the last few stay. */
    prune(keep: number, maxBytes: number): void;
  };
  readonly events: {
    add(event: Omit<AuditEvent, 'id'>): AuditEvent;
    list(filter: { readonly projectId?: string | undefined; readonly beforeId?: number | undefined; readonly limit: number }): readonly AuditEvent[];
  };
  /** What is owed to, and known of, the cloud. */
  readonly sync: SyncStore;
  readonly drafts: {
    list(projectId: string): readonly DraftRecord[];
    get(projectId: string, path: string): DraftRecord | null;
    put(draft: DraftRecord): void;
    /** Only those of the given version stay gone: what was typed meanwhile is kept. */
    remove(projectId: string, drafts: readonly Pick<DraftRecord, 'path' | 'updatedAt'>[]): void;
    setBase(projectId: string, baseRev: number): void;
    projects(): readonly string[];
  };
  /** Projects whose last safe copy stays on this computer whatever the budget. */
  readonly kept: { list(): readonly string[]; set(projectId: string, kept: boolean): void };
  readonly settings: { get(): Settings; put(settings: Settings): void };
  close(): void;
};
