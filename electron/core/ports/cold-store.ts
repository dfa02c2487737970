import type { Readable } from 'node:stream';

export type StoredArchive = { readonly key: string; readonly sha256: string; readonly bytes: number };

/**
 * Where archives rest. Append only: a put never replaces anything, and is complete or absent.
 * Every adapter passes the same contract suite.
 */
export type ColdStore = {
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
};
