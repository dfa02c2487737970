import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { ExtendedAttribute, Owner } from '#shared/archive-fields.ts';
import type { ExcludeConfig, LeftOut } from '#shared/archive-rules.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { errnoOf } from '../log.ts';
import { FileReader, type DataMap } from './file-content.ts';
import { FolderCursor } from './folder-cursor.ts';
import { HelperOrders, parseAttributes, parseData } from './perl-helper.ts';
import { joinRaw, showPath, type RawPath } from './paths.ts';
import { isGone, Problems, surveyWorkspace, type PlannedEntry, type SaveLimits, type Survey } from './survey.ts';
import { ZipWriter } from './zip-writer.ts';

export type SaveResult = {
  readonly entries: number;
  readonly files: number;
  readonly contentBytes: number;
  readonly leftOut: readonly LeftOut[];
  readonly changedWhileReading: readonly string[];
  /** What a person should know besides, once each. */
  readonly warnings: readonly string[];
  /** Size of the archive in bytes: the reader of the stream knows when it has all. */
  readonly archiveBytes: number;
  /** Tells two listings apart: names, sizes, times, inodes. Only comparable within one guest. */
  readonly fingerprint: number;
};

export type SaveOptions = {
  readonly exclude: ExcludeConfig;
  readonly limits: SaveLimits;
  /** The workspace's user, whose things carry no owner in the archive: they belong to that user wherever they are opened. */
  readonly owner: Owner;
  /** The file system is frozen: nothing can change meanwhile, and what this writes for itself goes to memory. */
  readonly still: boolean;
};

/** What one entry's extra field takes at most, so that name and fields fit the format's 16-bit lengths. */
const MAX_XATTR_BYTES = 60_000;

/** Reads what a survey found. Throws when the sink does, CONFLICT, DISK_FULL, SAVE_INCOMPLETE. */
class Saver {
  readonly #cursor: FolderCursor;
  readonly #survey: Survey;
  readonly #maps: ReadonlyMap<number, DataMap>;
  readonly #owner: Owner;
  readonly #writer: ZipWriter;
  readonly #reader: FileReader;
  readonly #problems = new Problems();
  readonly #changed: string[] = [];
  /** The survey's numbers of the entries that are in the archive. */
  readonly #written: number[] = [];
  #files = 0;
  #contentBytes = 0;
  #fingerprint = 0;

  constructor(cursor: FolderCursor, survey: Survey, maps: ReadonlyMap<number, DataMap>, { owner, still }: SaveOptions, sink: (data: Buffer) => void) {
    this.#cursor = cursor;
    this.#survey = survey;
    this.#maps = maps;
    this.#owner = owner;
    this.#reader = new FileReader(still);
    // What goes out after something could not be read is of no use to anybody.
    this.#writer = new ZipWriter((data) => { if (!this.#problems.any) sink(data); });
  }

  read(): void {
    this.#folder(this.#survey.entries, '');
    this.#problems.check();
  }

  finish(found: ReturnType<typeof parseAttributes>): SaveResult {
    const xattrs = new Map<number, readonly ExtendedAttribute[]>();
    if (found.size > 0) this.#written.forEach((number, position) => {
      const list = found.get(number);
      if (list === undefined) return;
      if (typeof list === 'number') this.#problems.add(pathOf(this.#survey.entries, number), `has extended attributes that cannot be read (errno ${list})`);
      else if (list.reduce((bytes, { name, value }) => bytes + 4 + name.length + value.length, 0) > MAX_XATTR_BYTES) this.#problems.add(pathOf(this.#survey.entries, number), `has more than ${MAX_XATTR_BYTES} bytes of extended attributes`);
      else xattrs.set(position, list);
    });
    this.#problems.check();
    const archiveBytes = this.#writer.finish(xattrs);
    return {
      entries: this.#written.length, files: this.#files, contentBytes: this.#contentBytes, leftOut: this.#survey.leftOut,
      changedWhileReading: this.#changed, warnings: this.#survey.warnings, archiveBytes, fingerprint: this.#fingerprint,
    };
  }

  #note(stat: Stats, name: RawPath): void {
    this.#fingerprint = crc32(`${showPath(name)}\0${stat.size} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.ino} ${stat.mode}`, this.#fingerprint);
  }

  #folder(entries: readonly PlannedEntry[], relative: RawPath): void {
    for (const entry of entries) {
      const path = joinRaw(relative, entry.name);
      try {
        this.#entry(entry, path);
      } catch (error) {
        if (!isGone(error)) this.#problem(path, error);
      }
    }
  }

  #problem(path: RawPath, error: unknown): void {
    const errno = errnoOf(error);
    if (error instanceof VesselError || errno === '' || errno === 'ENOSPC') throw error;
    this.#problems.add(path, `cannot be read (${errno})`);
  }

  #begin(stat: Stats, { number }: PlannedEntry, name: RawPath, content: { readonly size: number; readonly crc: number; readonly framedBytes: number | null }): void {
    const { uid, gid, mode, mtimeMs } = stat;
    const owner = uid === this.#owner.uid && gid === this.#owner.gid ? null : { uid, gid };
    this.#writer.entry({ name, ...content, mode, mtimeMs, owner, linkGroup: this.#survey.links.get(number) ?? null });
    this.#written.push(number);
  }

  #entry(entry: PlannedEntry, path: RawPath): void {
    const { name, kind, inner } = entry;
    switch (kind) {
      case 'dir': {
        const stat = lstatSync(name);
        if (!stat.isDirectory()) return;
        this.#begin(stat, entry, joinRaw(path, ''), { size: 0, crc: 0, framedBytes: null });
        this.#note(stat, path);
        this.#cursor.down(name);
        try {
          this.#folder(inner ?? [], path);
        } finally {
          this.#cursor.up();
        }
        return;
      }
      case 'link': {
        const stat = lstatSync(name);
        const target = readlinkSync(name, 'buffer');
        this.#begin(stat, entry, path, { size: target.length, crc: crc32(target), framedBytes: null });
        this.#writer.content(target);
        this.#note(stat, path);
        return;
      }
      case 'file':
        this.#file(entry, path);
        return;
      default:
        kind satisfies never;
    }
  }

  #file(entry: PlannedEntry, path: RawPath): void {
    this.#reader.withFile(entry.name, path, this.#maps.get(entry.number) ?? null, (file) => {
      this.#begin(file.stat, entry, path, file);
      try {
        file.stream((data) => this.#writer.content(data));
      } catch (error) {
        // Its header is out, so also a file that is gone by now spoils this archive.
        this.#problem(path, error);
      }
      this.#note(file.stat, path);
      if (file.changed) this.#changed.push(showPath(path));
      this.#files += 1;
      this.#contentBytes += file.size;
    });
  }
}

/** The path of an entry, to name it. */
function pathOf(entries: readonly PlannedEntry[], number: number): RawPath {
  const holder = entries.findLast((entry) => entry.number <= number);
  if (holder === undefined) return '';
  return holder.number === number ? holder.name : joinRaw(holder.name, pathOf(holder.inner ?? [], number));
}

/** Asks where the files with holes have their data. One that cannot be asked is read whole. */
function dataMaps(root: string, { entries, sparse }: Survey): ReadonlyMap<number, DataMap> {
  const maps = new Map<number, DataMap>();
  if (sparse.size === 0) return maps;
  const orders = new HelperOrders();
  eachEntry(entries, orders, ({ number, name }) => { if (sparse.has(number)) orders.askData(number, name); });
  for (const [number, extents] of parseData(orders.run(root))) {
    const seen = sparse.get(number);
    if (seen !== undefined) maps.set(number, { seen, extents });
  }
  return maps;
}

/** Begins to read the extended attributes, beside the reading of the content. Links have none that a user could set. */
function beginAttributes(root: string, { entries }: Survey): () => Promise<ReturnType<typeof parseAttributes>> {
  const orders = new HelperOrders();
  eachEntry(entries, orders, ({ number, name, kind }) => { if (kind !== 'link') orders.askAttributes(number, name); });
  if (orders.count === 0) {
    orders.close();
    return () => Promise.resolve(new Map());
  }
  const ended = orders.start(root);
  return async () => parseAttributes(await ended());
}

function eachEntry(entries: readonly PlannedEntry[], orders: HelperOrders, visit: (entry: PlannedEntry) => void): void {
  for (const entry of entries) {
    visit(entry);
    if (entry.inner === null) continue;
    orders.down(entry.name);
    eachEntry(entry.inner, orders, visit);
    orders.up();
  }
}

/**
 * Streams the workspace `root` into `sink`, which must take all bytes before it returns: as a stored zip, in a fixed order. What cannot be read
 * or kept is named in SAVE_INCOMPLETE; nothing is left out but by a rule. What vanishes on the way is passed over. Throws also
 * ARCHIVE_TOO_LARGE (before anything is read), CONFLICT, DISK_FULL, and what `sink` throws.
 */
export async function saveWorkspace(root: string, options: SaveOptions, sink: (data: Buffer) => void): Promise<SaveResult> {
  const cursor = new FolderCursor(root);
  try {
    const survey = surveyWorkspace(cursor, root, options);
    const maps = dataMaps(root, survey);
    const attributes = beginAttributes(root, survey);
    const saver = new Saver(cursor, survey, maps, options, sink);
    saver.read();
    return saver.finish(await attributes());
  } finally {
    cursor.close();
  }
}
