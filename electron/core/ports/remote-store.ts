import type { BackendEncryption } from './encryption.ts';
import type { StoredArchive, ArchiveStore } from './cold-store.ts';
import type { ProjectSettings, Revision } from '#shared/project.ts';

/** Which back end a project rests in besides this computer. */
export type RemoteKind = 'supabase' | 's3';

export type TransferOptions = { readonly signal?: AbortSignal; readonly onProgress?: (bytes: number) => void };

/** A cold store behind a network: moves whole files, resumes what a cut link interrupted, never holds an archive in memory. */
export type RemoteArchives = Omit<ArchiveStore, 'readBack' | 'remove'> & {
  /** `named`: also where a row names it, which the caller removes next; without that a store may keep such an object. */
  remove(projectId: string, sha256: string, options?: { readonly named?: boolean }): Promise<void>;
  /** As every store's, and can be given up: over a network it takes its time. */
  readBack(projectId: string, sha256: string, options?: TransferOptions): Promise<{ readonly sha256: string; readonly bytes: number }>;
  /**
   * Sends a file that holds exactly `sha256`. Goes on where an earlier attempt ended, also of an earlier process. Does not read
   * back: `readBack` does. Throws CLOUD_OFFLINE, CLOUD_SIGNED_OUT, CLOUD_FILE_TOO_LARGE, CLOUD_OVER_QUOTA, CLOUD_FAILED.
   */
  upload(projectId: string, file: { readonly path: string; readonly sha256: string; readonly bytes: number }, options: TransferOptions): Promise<StoredArchive>;
  /**
   * Fetches an archive into a new file; what an earlier attempt left beside it as `<path>.part` is continued. The file appears
   * only with the right hash. Throws NOT_FOUND, ARCHIVE_CORRUPT.
   */
  download(projectId: string, sha256: string, path: string, options: TransferOptions): Promise<StoredArchive>;
};

/** A project as the far end knows it. */
export type RemoteProject = {
  readonly id: string;
  readonly name: string;
  readonly template: string | null;
  readonly settings: Partial<ProjectSettings>;
  /** The current archive's row; null before the first one. */
  readonly archiveId: string | null;
  /** Grows with every change of the row; the compare-and-swap is on it. */
  readonly rev: number;
  readonly createdAt: number;
  /** Unix milliseconds by this device's or the server's clock; null when not deleted. */
  readonly deletedAt: number | null;
  /** It is encrypted and its key is not on this computer: the name, settings and archive are not the true ones. */
  readonly locked?: boolean;
};

/** A revision as the far end knows it. Its id follows from what it is (`archiveId`), so that sending it twice is sending it once. */
export type RemoteArchive = Pick<Revision, 'sha256' | 'bytes' | 'files' | 'contentBytes' | 'leftOut'> & {
  readonly id: string;
  readonly projectId: string;
  readonly parentId: string | null;
  /** The branch's name for a save that lost a race; null on the main line. */
  readonly branch: string | null;
  readonly device: string;
  readonly reason: string;
  /** Unix milliseconds by the clock of the device that saved. */
  readonly savedAt: number;
  /** Only where the row is stored: what is encrypted of it. The other fields then tell of the ciphertext. */
  readonly sealed?: string;
};

export type RemoteLease = { readonly held: boolean; readonly sessionId: string; readonly device: string; readonly since: number };

/** Where projects' rows are: read in pages of what changed, written by compare-and-swap. */
export type RemoteIndex = {
  /** What changed since `cursor` (null = everything), oldest first. A project may be told twice, never not at all. */
  changed(cursor: string | null, signal?: AbortSignal): Promise<{ readonly projects: readonly RemoteProject[]; readonly cursor: string | null; readonly more: boolean }>;
  /** Every project that is there, by id: what `changed` cannot tell is which are gone. */
  ids(signal?: AbortSignal): Promise<ReadonlySet<string>>;
  project(projectId: string): Promise<RemoteProject | null>;
  /** Does nothing when it exists. */
  insertProject(project: Pick<RemoteProject, 'id' | 'name' | 'template' | 'settings' | 'createdAt'>): Promise<void>;
  /** Changes the row if it still has `rev`; null means that somebody else was faster. */
  swapProject(projectId: string, rev: number, change: Partial<Pick<RemoteProject, 'name' | 'template' | 'settings' | 'archiveId' | 'deletedAt'>>): Promise<RemoteProject | null>;
  /** In the order in which they arrived. */
  archives(projectId: string): Promise<readonly RemoteArchive[]>;
  /** The same for many projects at once; a project without any is absent. */
  archivesOf(projectIds: readonly string[]): Promise<ReadonlyMap<string, readonly RemoteArchive[]>>;
  /** True when a revision with this content is recorded: its object was verified then. */
  hasContent(projectId: string, sha256: string): Promise<boolean>;
  /** Does nothing when it exists. */
  insertArchive(archive: RemoteArchive): Promise<void>;
  /** Takes an archive off the main line. */
  branchArchive(projectId: string, id: string, branch: string): Promise<void>;
  /** Does nothing when it is gone already or is the current one; false then. */
  removeArchive(projectId: string, id: string): Promise<boolean>;
  removeProject(projectId: string): Promise<void>;
  /** Takes, keeps or asks for the lease of a project. */
  claim(projectId: string, takeOver: boolean): Promise<RemoteLease>;
  release(projectId: string, sessionId: string): Promise<void>;
  /** Who has which project open now. */
  leases(): Promise<readonly { readonly projectId: string; readonly device: string; readonly since: number; readonly mine: boolean }[]>;
  /** Bytes of all archives of the account, each counted once. */
  usedBytes(): Promise<number>;
  /** Whether the account's archives are to be encrypted, and with which key; null when that was never turned on. */
  encryption(): Promise<EncryptionRecord | null>;
  /** Writes the record if it still has `rev` (null: if there is none); false when another device was faster. The key never changes. */
  putEncryption(record: { readonly keyId: string; readonly enabled: boolean; readonly proof: string }, rev: number | null): Promise<boolean>;
  /** Forgets the record; for an account whose data are removed. */
  removeEncryption(): Promise<void>;
};

/** What a back end knows of the encryption of an account: the name of its key, never the key. */
export type EncryptionRecord = {
  readonly keyId: string; readonly enabled: boolean; readonly rev: number;
  /** A statement of `enabled` that only the key can make; null in records from before there were any. */
  readonly proof?: string | null;
};

/** An object that no row names. */
export type Leftover = { readonly projectId: string; readonly sha256: string; readonly key: string; readonly bytes: number };
/** What uploads left that never came to be recorded: of a crash, of a cut for good. As it lies there, encrypted or not. */
export type Leftovers = {
  /** Those that have lain there for so long by the clock of the server: an upload that still goes on is younger. */
  find(olderThanMs: number, signal?: AbortSignal): Promise<readonly Leftover[]>;
  /** Looks again first; false when a row names it by now. */
  remove(leftover: Leftover): Promise<boolean>;
};

/**
 * One back end: archives and the rows that point at them. `encryption` stands where both are seen through the key of the account;
 * `leftovers` always means the objects and rows themselves.
 */
export type RemoteBackend = {
  readonly kind: RemoteKind;
  readonly archives: RemoteArchives;
  readonly index: RemoteIndex;
  readonly encryption?: BackendEncryption;
  readonly leftovers?: Leftovers;
};

/** Addresses of uploads that were begun, so that a restart goes on with them. */
export type UploadJournal = { get(key: string): string | null; put(key: string, url: string): void; remove(key: string): void };
