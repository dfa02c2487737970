import type { Readable } from 'node:stream';
import type { Project, Revision } from '#shared/project.ts';

export type StoredArchive = { readonly key: string; readonly sha256: string; readonly bytes: number };

/** Written beside each archive, so that the list of projects can be rebuilt from the store alone. */
export type RevisionManifest = {
  readonly v: 1;
  readonly project: Pick<Project, 'id' | 'name' | 'template' | 'createdAt' | 'settings'>;
  readonly revision: Revision;
};

/**
 * Where archives rest. Append only: a put never replaces anything, and is complete or absent.
 * Every adapter passes the same contract suite.
 */
export type ArchiveStore = {
  /** Streams to a temporary name while hashing, makes it durable, then links it under its hash. Throws DISK_FULL or STORE_FAILED; leaves nothing behind when it throws. */
  put(projectId: string, content: Readable, options: { readonly signal?: AbortSignal }): Promise<StoredArchive>;
  /** Reads everything back from the medium and returns the hash and size it found. Throws ARCHIVE_CORRUPT when it cannot be read. */
  readBack(projectId: string, sha256: string): Promise<{ readonly sha256: string; readonly bytes: number }>;
  /** Throws NOT_FOUND. */
  open(projectId: string, sha256: string): Promise<Readable>;
  /** For adapters whose archives are local files: the path, else null. */
  localPath(projectId: string, sha256: string): string | null;
  remove(projectId: string, sha256: string): Promise<void>;
  list(projectId: string): Promise<readonly StoredArchive[]>;
  /** Removes everything of a project. */
  removeProject(projectId: string): Promise<void>;
};

/** A cold store of this computer: also keeps what a revision was beside its archive. */
export type ColdStore = ArchiveStore & {
  /** Durable, replaces an older manifest of the same revision. */
  putManifest(manifest: RevisionManifest): Promise<void>;
  removeManifest(projectId: string, rev: number): Promise<void>;
  /** Every manifest that can be read; unreadable ones are skipped and named by `onBad`. */
  manifests(onBad: (path: string, why: string) => void): Promise<readonly RevisionManifest[]>;
};
