import { isUtf8 } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import type { EntryAttributes, Owner } from '#shared/archive-fields.ts';
import { VesselError } from '#shared/errors.ts';
import type { IndexedEntry, OpenArchive } from '../../ports/archive-reader.ts';
import { archiveError, corrupt, readAt, readCentral, readDirectory } from './directory-reader.ts';
import { centralLength, FILE_TYPE, LOCAL_BYTES, METHOD, SIGNATURE } from './zip-format.ts';
import { PIECE_BYTES } from './zip-piece.ts';

/** What reading one entry needs. Implied folders have none. */
type Place = { readonly name: Buffer; readonly utf8: boolean; readonly method: number; readonly offset: number; readonly compressedSize: number; readonly owner: Owner | null; readonly attributes: EntryAttributes };
/** `key` orders paths so that all below a folder follow it directly: `/` sorts before anything a name may hold. */
type Indexed = IndexedEntry & { readonly key: string; readonly place: Place | null };

const DEFAULT_FOLDER_MODE = 0o755;
const LAST = '\u0001';

/** Opens one of Vessel's own archives for reading at any place, see {@link OpenArchive}. Throws ARCHIVE_CORRUPT. */
export async function openArchive(path: string): Promise<OpenArchive> {
  const file = await open(path, 'r').catch((error: unknown) => { throw new VesselError('ARCHIVE_CORRUPT', 'The archive cannot be opened', { cause: error }); });
  try {
    const { entries, bytes } = await readDirectory(file);
    return new FileArchive(file, index(entries, bytes));
  } catch (error) {
    await file.close();
    throw archiveError(error);
  }
}

/** What {@link pathOf} writes for a byte. */
const ESCAPED = /\\x[0-9a-f]{2}/;
const escape = (character: string): string => `\\x${character.charCodeAt(0).toString(16)}`;

/** The path of a name; bytes that are not UTF-8 are written `\xHH`, and so is a backslash that would read like that: two names never share a path. */
export function pathOf(name: Buffer): string {
  if (!isUtf8(name)) return name.toString('latin1').replace(/[\\\u0080-\u00ff]/g, escape);
  const text = name.toString('utf8');
  return ESCAPED.test(text) ? text.replaceAll('\\', escape) : text;
}

const keyOf = (path: string): string => path.replaceAll('/', '\0');
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

function index(count: number, bytes: Buffer): readonly Indexed[] {
  const found = new Map<string, Indexed>();
  for (let number = 0, at = 0; number < count; number += 1, at += centralLength(bytes, at)) {
    const record = readCentral(bytes, at);
    const type = record.mode & FILE_TYPE.mask;
    const path = pathOf(record.name).replace(/\/$/, '');
    const kind = record.name.at(-1) === 0x2f || type === FILE_TYPE.folder ? 'folder' : type === FILE_TYPE.link ? 'link' : 'file';
    found.set(path, {
      path, key: keyOf(path), kind, size: record.size, mode: record.mode & 0o7777, mtime: record.mtime, crc: record.crc,
      place: { name: record.name, utf8: record.utf8, method: record.method, offset: record.offset, compressedSize: record.compressedSize, owner: record.owner, attributes: record.attributes },
    });
  }
  for (const { path } of [...found.values()]) {
    for (let folder = parentOf(path); folder !== '' && !found.has(folder); folder = parentOf(folder)) {
      found.set(folder, { path: folder, key: keyOf(folder), kind: 'folder', size: 0, mode: DEFAULT_FOLDER_MODE, mtime: 0, crc: 0, place: null });
    }
  }
  return [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

class FileArchive implements OpenArchive {
  readonly entries: readonly Indexed[];
  readonly totals: OpenArchive['totals'];
  readonly #file: FileHandle;

  constructor(file: FileHandle, entries: readonly Indexed[]) {
    this.#file = file;
    this.entries = entries;
    const totals = { files: 0, folders: 0, links: 0, bytes: 0 };
    for (const entry of entries) {
      totals[entry.kind === 'file' ? 'files' : entry.kind === 'link' ? 'links' : 'folders'] += 1;
      if (entry.kind === 'file') totals.bytes += entry.size;
    }
    this.totals = totals;
  }

  get(path: string): Indexed | null {
    const key = keyOf(path);
    const entry = this.entries[this.#first(key)];
    return entry?.key === key ? entry : null;
  }

  children(folder: string): readonly IndexedEntry[] {
    this.#requireFolder(folder);
    const prefix = folder === '' ? '' : `${keyOf(folder)}\0`;
    const end = folder === '' ? this.entries.length : this.#first(keyOf(folder) + LAST);
    const children: Indexed[] = [];
    for (let at = this.#first(prefix); at < end;) {
      const entry = this.entries[at];
      if (entry === undefined) break;
      children.push(entry);
      at = entry.kind === 'folder' ? this.#first(entry.key + LAST) : at + 1;
    }
    return [...children.filter(({ kind }) => kind === 'folder'), ...children.filter(({ kind }) => kind !== 'folder')];
  }

  below(path: string): readonly IndexedEntry[] {
    if (path === '') return this.entries;
    const key = keyOf(path);
    const start = this.#first(key);
    if (this.entries[start]?.key !== key) throw absent(path);
    return this.entries.slice(start, this.#first(key + LAST));
  }

  nameOf(path: string): ReturnType<OpenArchive['nameOf']> {
    const entry = this.get(path);
    if (entry?.place != null) return entry.place;
    return { name: Buffer.from(entry?.kind === 'folder' ? `${path}/` : path), utf8: true };
  }

  async read(path: string, { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal }): Promise<Buffer> {
    const entry = this.#content(path);
    if (entry.size > maxBytes) throw new VesselError('ARCHIVE_TOO_LARGE', `"${path}" has ${entry.size} bytes`, { hint: 'Download it or copy it out instead.', details: { path, size: entry.size, maxBytes } });
    const parts: Buffer[] = [];
    for await (const part of this.#checked(entry, signal)) parts.push(part);
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  stream(path: string, { signal }: { readonly signal: AbortSignal }): Readable {
    return Readable.from(this.#checked(this.#content(path), signal), { objectMode: false, highWaterMark: PIECE_BYTES });
  }

  close(): Promise<void> { return this.#file.close(); }

  /** The first position whose key is not before the given one. */
  #first(key: string): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.entries[middle]?.key ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #requireFolder(folder: string): void {
    if (folder !== '' && this.get(folder)?.kind !== 'folder') throw absent(folder);
  }

  #content(path: string): Indexed & { readonly place: Place } {
    const entry = this.get(path);
    if (entry === null || entry.kind === 'folder' || entry.place === null) throw absent(path);
    return { ...entry, place: entry.place };
  }

  async *#checked(entry: Indexed & { readonly place: Place }, signal: AbortSignal): AsyncGenerator<Buffer> {
    let crc = 0;
    let bytes = 0;
    try {
      for await (const part of this.#inflated(entry)) {
        if (signal.aborted) throw new VesselError('CANCELLED');
        crc = crc32(part, crc);
        bytes += part.length;
        if (bytes > entry.size) break;
        yield part;
      }
    } catch (error) {
      throw archiveError(error);
    }
    if (bytes !== entry.size || crc !== entry.crc) throw corrupt(`entry "${entry.path}" fails its checksum`);
  }

  async *#inflated(entry: Indexed & { readonly place: Place }): AsyncGenerator<Buffer> {
    const { place } = entry;
    const header = await readAt(this.#file, place.offset, LOCAL_BYTES);
    if (header.readUInt32LE(0) !== SIGNATURE.local) throw corrupt(`entry "${entry.path}" has no header`);
    const start = place.offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
    if (place.method === METHOD.deflated && entry.size <= PIECE_BYTES) {
      yield inflateRawSync(await readAt(this.#file, start, place.compressedSize), { maxOutputLength: Math.max(1, entry.size), chunkSize: Math.max(64, entry.size) });
      return;
    }
    const raw = this.#raw(start, place.compressedSize);
    if (place.method === METHOD.stored) { yield* raw; return; }
    const inflate = createInflateRaw({ chunkSize: 256 * 1024 });
    // A failing source must fail the reader as well; the callback has nothing left to do.
    pipeline(Readable.from(raw, { objectMode: false }), inflate, () => undefined);
    yield* inflate as AsyncIterable<Buffer>;
  }

  async *#raw(start: number, length: number): AsyncGenerator<Buffer> {
    for (let at = 0; at < length;) {
      const part = await readAt(this.#file, start + at, Math.min(PIECE_BYTES, length - at));
      at += part.length;
      yield part;
    }
  }
}

function absent(path: string): VesselError { return new VesselError('NOT_FOUND', `There is no "${path}" in this revision`, { details: { path } }); }
