import { lstatSync, type Stats } from 'node:fs';
import { HOLE_BYTES } from '#shared/archive-fields.ts';
import { MAX_DEPTH, MAX_PATH_BYTES } from '#shared/archive-names.ts';
import type { ExcludeConfig, LeftOut } from '#shared/archive-rules.ts';
import type { FolderExcluder } from '#shared/exclude/excluder.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { errnoOf } from '../log.ts';
import type { FolderCursor } from './folder-cursor.ts';
import { childNames, listFolder, LOST_AND_FOUND, type FolderEntry } from './folder-list.ts';
import { joinRaw, showPath, type RawPath } from './paths.ts';

/** One entry that a save will carry. */
export type PlannedEntry = {
  readonly name: RawPath;
  readonly kind: 'file' | 'dir' | 'link';
  /** Counts the entries in their order. */
  readonly number: number;
  /** What lies in a folder. */
  readonly inner: readonly PlannedEntry[] | null;
};

export type Survey = {
  readonly entries: readonly PlannedEntry[];
  readonly leftOut: readonly LeftOut[];
  /** What a person should know besides, once each. */
  readonly warnings: readonly string[];
  /** Files with fewer blocks than bytes, by number, as they were then. */
  readonly sparse: ReadonlyMap<number, Stats>;
  /** A number for each file with several names in the workspace, by the numbers of those entries. */
  readonly links: ReadonlyMap<number, number>;
};

export type SaveLimits = { readonly maxBytes: number; readonly maxEntries: number };

const SPECIAL_KINDS: readonly (readonly [number, string])[] = [[0o140000, 'a socket'], [0o010000, 'a named pipe'], [0o060000, 'a block device'], [0o020000, 'a character device']];
const BLOCK_BYTES = 512;
/** So many of the largest files are named when all together are too much. */
const LARGEST = 5;
/** So many paths stand in a message, each cut in its middle to so many characters: the desktop takes 2000 of a guest's message. */
const NAMED = 10;
const NAMED_CHARS = 120;

/** A path as it stands in a message. */
function named(path: RawPath): string {
  const text = showPath(path);
  return JSON.stringify(text.length <= NAMED_CHARS ? text : `${text.slice(0, NAMED_CHARS / 2)}…${text.slice(1 - NAMED_CHARS / 2)}`);
}

/** Collects what cannot be saved, to name it all at once. */
export class Problems {
  readonly #found: string[] = [];
  #count = 0;

  add(path: RawPath, why: string): void {
    this.#count += 1;
    if (this.#found.length < NAMED) this.#found.push(`${named(path)} ${why}`);
  }

  get any(): boolean {
    return this.#count > 0;
  }

  /** Throws SAVE_INCOMPLETE naming what was found, if anything was. */
  check(): void {
    if (this.#count === 0) return;
    const more = this.#count > this.#found.length ? `; and ${this.#count - this.#found.length} more` : '';
    throw new VesselError('SAVE_INCOMPLETE', `${this.#found.join('; ')}${more}`, { details: { count: this.#count } });
  }
}

/** A thing that vanished meanwhile is no problem, for it is not there to be saved. */
export const isGone = (error: unknown): boolean => errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';

/** The size that counts against the limit, in words. */
const shown = (bytes: number): string => (bytes < 1e6 ? `${bytes} bytes` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);

/** Looks at everything that a save would carry, before anything is read. */
class Surveyor {
  readonly #cursor: FolderCursor;
  readonly #root: string;
  readonly #config: ExcludeConfig;
  readonly #leftOut: LeftOut[] = [];
  readonly #warnings = new Set<string>();
  readonly #problems = new Problems();
  readonly #sparse = new Map<number, Stats>();
  readonly #names = new Map<string, number[]>();
  readonly #largest: { readonly path: RawPath; readonly bytes: number }[] = [];
  #entries = 0;
  #bytes = 0;

  constructor(cursor: FolderCursor, root: string, config: ExcludeConfig) {
    this.#cursor = cursor;
    this.#root = root;
    this.#config = config;
  }

  run(limits: SaveLimits): Survey {
    const entries = this.#everything();
    this.#problems.check();
    if (this.#entries > limits.maxEntries) throw new VesselError('ARCHIVE_TOO_LARGE', `The workspace has ${this.#entries} entries, the limit is ${limits.maxEntries}`, { details: { entries: this.#entries, maxEntries: limits.maxEntries } });
    if (this.#bytes > limits.maxBytes) {
      const largest = this.#largest.map(({ path, bytes }) => `${named(path)} (${shown(bytes)})`).join(', ');
      throw new VesselError('ARCHIVE_TOO_LARGE', `The workspace holds ${shown(this.#bytes)}, the limit is ${shown(limits.maxBytes)}. The largest: ${largest}`, { details: { bytes: this.#bytes, maxBytes: limits.maxBytes } });
    }
    const links = new Map<number, number>();
    let group = 0;
    for (const numbers of this.#names.values()) {
      if (numbers.length < 2) continue;
      for (const number of numbers) links.set(number, group);
      group += 1;
    }
    return { entries, leftOut: this.#leftOut, warnings: [...this.#warnings], sparse: this.#sparse, links };
  }

  #everything(): PlannedEntry[] {
    try {
      return this.#folder('', null);
    } catch (error) {
      this.#problem('.', error);
      return [];
    }
  }

  #folder(relative: RawPath, parent: FolderExcluder | null): PlannedEntry[] {
    const { entries, excluder } = listFolder({ path: this.#cursor.here, real: joinRaw(this.#root, relative), relative: showPath(relative) }, parent, this.#config);
    const planned: PlannedEntry[] = [];
    for (const entry of entries) {
      if (parent === null && entry.name === LOST_AND_FOUND) continue;
      const path = joinRaw(relative, entry.name);
      const decision = excluder.decide({ name: showPath(entry.name), kind: entry.kind, childNames: () => childNames(entry.name) });
      if (decision.report !== null) this.#leftOut.push({ path: `${showPath(path)}${entry.kind === 'dir' ? '/' : ''}`, reason: decision.report });
      if (decision.warning !== null) this.#warnings.add(decision.warning);
      if (!decision.keep) continue;
      try {
        const found = this.#entry(entry, path, excluder);
        if (found !== null) planned.push(found);
      } catch (error) {
        if (!isGone(error)) this.#problem(path, error);
      }
    }
    return planned;
  }

  #problem(path: RawPath, error: unknown): void {
    const errno = errnoOf(error);
    if (errno === '') throw error;
    this.#problems.add(path, `cannot be read (${errno})`);
  }

  #entry({ name, kind }: FolderEntry, path: RawPath, excluder: FolderExcluder): PlannedEntry | null {
    const stat = lstatSync(name);
    if (kind === 'other') {
      const type = stat.mode & 0o170000;
      this.#leftOut.push({ path: showPath(path), reason: `${SPECIAL_KINDS.find(([bits]) => bits === type)?.[1] ?? 'a special file'} cannot be kept` });
      return null;
    }
    const bytes = typeof path === 'string' ? Buffer.byteLength(path) : path.length;
    if (bytes > MAX_PATH_BYTES) {
      this.#problems.add(path, `has a path of ${bytes} bytes, the limit is ${MAX_PATH_BYTES}`);
      return null;
    }
    const number = this.#entries;
    this.#entries += 1;
    if (kind === 'dir') return { name, kind, number, inner: this.#inside(name, path, excluder) };
    if (kind === 'file' && stat.isFile()) {
      this.#bytes += stat.size;
      this.#noteLargest(path, stat.size);
      if (stat.size - stat.blocks * BLOCK_BYTES >= HOLE_BYTES) this.#sparse.set(number, stat);
      if (stat.nlink > 1) this.#noteName(`${stat.dev}:${stat.ino}`, number);
    }
    return { name, kind, number, inner: null };
  }

  #inside(name: RawPath, path: RawPath, excluder: FolderExcluder): PlannedEntry[] {
    if (this.#cursor.depth >= MAX_DEPTH) {
      this.#problems.add(path, `lies more than ${MAX_DEPTH} folders deep`);
      return [];
    }
    this.#cursor.down(name);
    try {
      return this.#folder(path, excluder);
    } finally {
      this.#cursor.up();
    }
  }

  #noteName(key: string, number: number): void {
    const known = this.#names.get(key);
    if (known === undefined) this.#names.set(key, [number]);
    else known.push(number);
  }

  #noteLargest(path: RawPath, bytes: number): void {
    if (this.#largest.length === LARGEST && bytes <= (this.#largest.at(-1)?.bytes ?? 0)) return;
    this.#largest.push({ path, bytes });
    this.#largest.sort((a, b) => b.bytes - a.bytes);
    if (this.#largest.length > LARGEST) this.#largest.pop();
  }
}

/**
 * Walks what a save will carry from the cursor's root, which is the folder `root`. Throws SAVE_INCOMPLETE naming what cannot be read or is beyond the limits of names and
 * depth, ARCHIVE_TOO_LARGE with the largest files when the whole is beyond `limits`.
 */
export function surveyWorkspace(cursor: FolderCursor, root: string, { exclude, limits }: { readonly exclude: ExcludeConfig; readonly limits: SaveLimits }): Survey {
  return new Surveyor(cursor, root, exclude).run(limits);
}
