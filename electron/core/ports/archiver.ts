import type { Readable } from 'node:stream';
import type { ExcludeConfig, LeftOut, TopFolder } from '#shared/archive-rules.ts';
import type { WorkspaceOutSummary } from '#shared/guest-protocol.ts';
import type { TemplateId } from '#shared/project.ts';

/** `files` and `contentBytes` count regular files; `entries` also folders and links. */
export type ArchiveCount = { readonly entries: number; readonly files: number; readonly contentBytes: number };
export type ArchiveLimits = { readonly maxArchiveBytes: number; readonly maxEntries: number };
/** A zip being made: `count` resolves once the last byte was read, and rejects with what `content` failed with. */
export type ZipInTheMaking = { readonly content: Readable; readonly count: Promise<ArchiveCount> };
export type ArchiveOptions = ArchiveLimits & { readonly signal: AbortSignal; readonly onProgress?: (bytes: number) => void };

/** What comes from elsewhere: also what was not taken and why, and what a person should know. */
export type ImportedZip = ZipInTheMaking & { readonly leftOut: readonly LeftOut[]; readonly notes: readonly string[] };
export type ImportZipOptions = ArchiveOptions & { readonly topFolder: TopFolder };

/** Everything Vessel does with zips on the desktop. None of it ever unpacks to the desktop's disk. */
export type Archiver = {
  /**
   * Turns a guest's stored zip into a compressed one while it streams. The result only ends well when `summary` did and
   * agrees with what was read. Throws ARCHIVE_CORRUPT, ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE.
   */
  transcode(stored: Readable, summary: Promise<WorkspaceOutSummary>, options: ArchiveOptions): ZipInTheMaking;
  /** A zip file from elsewhere, checked whole before the first byte is passed on. Throws as `transcode`, naming the entries, and BAD_REQUEST when it holds no file. */
  importZip(path: string, options: ImportZipOptions): Promise<ImportedZip>;
  /** A folder of this computer, without what `exclude` leaves out. Throws as `importZip`. */
  importFolder(path: string, exclude: ExcludeConfig, options: ArchiveOptions): Promise<ImportedZip>;
  /** One of Vessel's own archives, a file whose hash was just checked, as a stored zip: quick to unpack for an emulated guest. Throws ARCHIVE_CORRUPT. */
  inflate(path: string, options: Pick<ArchiveOptions, 'signal' | 'onProgress'>): Promise<ZipInTheMaking>;
  /** The first content of a project made from a template. */
  template(id: TemplateId, projectName: string): Promise<ZipInTheMaking>;
  /** Finds out whether one of Vessel's own archives opens under these limits: its names, kinds, sizes and contents. Throws as `transcode`. */
  check(path: string, options: ArchiveOptions): Promise<ArchiveCount>;
  /** Counts what a zip file holds. Throws ARCHIVE_CORRUPT. */
  count(path: string): Promise<ArchiveCount>;
};

/** The few things services need of this computer's files. */
export type LocalFiles = {
  /** The absolute path that a person means: `~` and `~/x` are below the home folder. Throws BAD_REQUEST for a relative one. */
  absolute(path: string): string;
  /** What stands at a path. Throws NOT_FOUND. */
  kind(path: string): Promise<'file' | 'folder'>;
  baseName(path: string): string;
  /** Writes a new file durably under a temporary name, then renames; returns hash and size of what was written. Throws DISK_FULL. */
  write(path: string, content: Readable, options: { readonly signal: AbortSignal; readonly expectSha256: string | null }): Promise<{ readonly sha256: string; readonly bytes: number; readonly path: string }>;
  /** Makes a folder that holds nothing. Throws CONFLICT when it holds something, BAD_REQUEST when the path is not absolute. */
  freshFolder(path: string): Promise<void>;
  writeText(path: string, text: string): Promise<void>;
  /** Keeps an upload in a temporary file until `remove`. */
  spool(content: Readable, options: { readonly signal: AbortSignal; readonly maxBytes: number }): Promise<{ readonly path: string; remove(): Promise<void> }>;
  /** Passes bytes on but keeps the last of them until the hash of all is the expected one; else fails with ARCHIVE_CORRUPT. */
  guarded(content: Readable, sha256: string, onProgress: (bytes: number) => void): Readable;
};
