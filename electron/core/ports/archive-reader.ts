import type { Readable } from 'node:stream';
import type { EntryAttributes, Owner } from '#shared/archive-fields.ts';
import type { ArchiveEntry, TextDiff } from '#shared/archive-contract.ts';
import type { LeftOut } from '#shared/archive-rules.ts';
import type { ArchiveOptions, ZipInTheMaking } from './archiver.ts';

/** An entry with what tells contents apart without reading them. */
export type IndexedEntry = ArchiveEntry & { readonly crc: number };

/**
 * One archive, open for reading at any place. Nothing is unpacked: the central directory is kept in memory (a few hundred
 * bytes an entry), contents are read and inflated as they are asked for, each checked against its CRC.
 */
export type OpenArchive = {
  readonly totals: { readonly files: number; readonly folders: number; readonly links: number; readonly bytes: number };
  /** Every entry, parents before children, folders that only paths imply included; `/` sorts before any other character. */
  readonly entries: readonly IndexedEntry[];
  get(path: string): IndexedEntry | null;
  /** Direct children, folders first, then by name. Throws NOT_FOUND when there is no such folder. */
  children(folder: string): readonly IndexedEntry[];
  /** The entry of that path, and all below it when it is a folder; everything for the empty path. Throws NOT_FOUND. */
  below(path: string): readonly IndexedEntry[];
  /** The name as it stands in the archive (a path need not be UTF-8), with what else must be carried over as it is. */
  nameOf(path: string): { readonly name: Buffer; readonly utf8: boolean; readonly owner?: Owner | null; readonly attributes?: EntryAttributes };
  /** The content of a file, or the target of a link. Throws NOT_FOUND, ARCHIVE_TOO_LARGE, ARCHIVE_CORRUPT. */
  read(path: string, options: { readonly maxBytes: number; readonly signal: AbortSignal }): Promise<Buffer>;
  /** The same as a stream, which fails at its end when the CRC is wrong. Throws NOT_FOUND. */
  stream(path: string, options: { readonly signal: AbortSignal }): Readable;
  /** Ends the reading; streams under way fail. */
  close(): Promise<void>;
};

/** What stands at one path of a new archive. `take` carries an entry over from another archive, with its mode and time. */
export type Edit =
  | { readonly kind: 'remove' }
  | { readonly kind: 'content'; readonly data: Buffer; readonly mode: number; /** Unix seconds. */ readonly mtime: number }
  | { readonly kind: 'take'; readonly from: OpenArchive };

/** Work on archives that lie on this computer. */
export type ArchiveReader = {
  /** Throws ARCHIVE_CORRUPT. */
  open(path: string): Promise<OpenArchive>;
  /**
   * A new archive: the base with the edits made; everything else keeps its bytes, mode and time. `remove` of a folder takes all
   * below it, except what another edit puts there. Throws BAD_REQUEST for a path that no workspace can have.
   */
  compose(base: OpenArchive, edits: ReadonlyMap<string, Edit>, options: ArchiveOptions): ZipInTheMaking;
  /**
   * Writes entries to a new folder of this computer: files and folders first, links last and only those that stay inside. What was not
   * written, and why, is in `leftOut`. Throws CONFLICT when the folder exists and is not empty; leaves nothing behind when it throws.
   */
  copyOut(archive: OpenArchive, paths: readonly string[], to: string, signal: AbortSignal): Promise<{ readonly files: number; readonly bytes: number; readonly leftOut: readonly LeftOut[] }>;
};

/** Comparing and joining texts. Work is bounded: what takes too long counts as too different. */
export type TextTools = {
  diff(before: string, after: string, context: number): TextDiff;
  /** Both sides' changes to a base; null when they touch the same lines. */
  merge(base: string, mine: string, theirs: string): string | null;
  /** A unified patch of one file as `git apply` takes it; null stands for no file. */
  patch(path: string, before: string | null, after: string | null): string;
};
