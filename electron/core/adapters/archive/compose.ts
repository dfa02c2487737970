import { crc32 } from 'node:zlib';
import { NO_ATTRIBUTES, type EntryAttributes, type Owner } from '#shared/archive-fields.ts';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveCount, ArchiveOptions, ZipInTheMaking } from '../../ports/archiver.ts';
import type { Edit, IndexedEntry, OpenArchive } from '../../ports/archive-reader.ts';
import { makeZip } from './making.ts';
import { NameGuard } from './name-guard.ts';
import { FILE_TYPE } from './zip-format.ts';
import { inPieces, PIECE_BYTES, type ZipPiece } from './zip-piece.ts';

/** One entry of the new archive and where its content comes from. */
type Planned = { readonly entry: IndexedEntry; readonly source: OpenArchive | Buffer; /** What the content replaces, whose owner and extended attributes stay. */ readonly instead?: OpenArchive; /** From another archive than the rest. */ readonly taken?: boolean };
const TYPES = { file: FILE_TYPE.file, folder: FILE_TYPE.folder, link: FILE_TYPE.link } as const;

/** See ArchiveReader.compose. */
export function compose(base: OpenArchive, edits: ReadonlyMap<string, Edit>, options: ArchiveOptions): ZipInTheMaking {
  return makeZip(piecesOf(plan(base, edits, options), options.signal), options);
}

/** What the new archive holds, in an order in which parents precede children. */
function plan(base: OpenArchive, edits: ReadonlyMap<string, Edit>, limits: ArchiveOptions): readonly Planned[] {
  const removed = [...edits].filter(([, edit]) => edit.kind === 'remove').map(([path]) => path);
  const gone = (path: string): boolean => removed.some((folder) => path === folder || path.startsWith(`${folder}/`));
  const planned = new Map<string, Planned>();
  for (const entry of base.entries) if (!gone(entry.path) && !edits.has(entry.path)) planned.set(entry.path, { entry, source: base });
  for (const [path, edit] of edits) {
    if (edit.kind === 'remove') continue;
    const before = planned.get(path)?.entry ?? base.get(path);
    if (before?.kind === 'folder' && edit.kind === 'content') throw new VesselError('BAD_REQUEST', `"${path}" is a folder`, { details: { path } });
    if (edit.kind === 'take') {
      const entry = edit.from.get(path);
      if (entry === null) throw new VesselError('NOT_FOUND', `There is no "${path}" in that revision`, { details: { path } });
      planned.set(path, { entry, source: edit.from, taken: true });
    } else {
      const { data, mode, mtime } = edit;
      planned.set(path, { entry: { path, kind: 'file', size: data.length, mode, mtime, crc: crc32(data) }, source: data, ...(before === null || before === undefined ? {} : { instead: base }) });
    }
    addParents(planned, path);
  }
  const all = [...planned.values()].sort((a, b) => (a.entry.path.replaceAll('/', '\0') < b.entry.path.replaceAll('/', '\0') ? -1 : 1));
  checkNames(all, limits);
  return all;
}

function addParents(planned: Map<string, Planned>, path: string): void {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    const folder = path.slice(0, at);
    const known = planned.get(folder);
    if (known !== undefined && known.entry.kind !== 'folder') throw new VesselError('BAD_REQUEST', `"${folder}" is a file, so "${path}" cannot lie in it`, { details: { path } });
    if (known === undefined) planned.set(folder, { entry: { path: folder, kind: 'folder', size: 0, mode: 0o755, mtime: 0, crc: 0 }, source: Buffer.alloc(0) });
  }
}

function checkNames(all: readonly Planned[], { maxEntries, maxArchiveBytes }: ArchiveOptions): void {
  const guard = new NameGuard('own');
  let bytes = 0;
  for (const item of all) {
    try {
      guard.check(nameOf(item).name);
    } catch (error) {
      throw new VesselError('BAD_REQUEST', VesselError.from(error).message, { cause: error, details: { path: item.entry.path } });
    }
    bytes += item.entry.size;
  }
  if (all.length > maxEntries || bytes > maxArchiveBytes) throw new VesselError('ARCHIVE_TOO_LARGE', undefined, { details: { entries: all.length, bytes, maxEntries, maxArchiveBytes } });
}

type Named = { readonly name: Buffer; readonly utf8: boolean; readonly owner: Owner | null; readonly attributes: EntryAttributes; readonly sparse: boolean };

/** Name, owner and attributes. Numbers of shared content mean nothing in another archive, and nothing for content that is new. */
function nameOf({ entry, source, instead, taken }: Planned): Named {
  const from = Buffer.isBuffer(source) ? instead : source;
  const { name, utf8, owner = null, attributes = NO_ATTRIBUTES } = from?.nameOf(entry.path) ?? { name: Buffer.from(entry.kind === 'folder' ? `${entry.path}/` : entry.path), utf8: true };
  if (Buffer.isBuffer(source)) return { name, utf8, owner, attributes: { ...NO_ATTRIBUTES, xattrs: attributes.xattrs }, sparse: false };
  return { name, utf8, owner, attributes: taken === true ? { ...attributes, linkGroup: null } : attributes, sparse: attributes.sparse };
}

async function* piecesOf(all: readonly Planned[], signal: AbortSignal): AsyncGenerator<ZipPiece, ArchiveCount> {
  let files = 0;
  let contentBytes = 0;
  for (const item of all) {
    const { entry, source } = item;
    if (entry.kind === 'file') { files += 1; contentBytes += entry.size; }
    yield { kind: 'entry', ...nameOf(item), mtime: entry.mtime, size: entry.size, crc: entry.crc, mode: TYPES[entry.kind] | entry.mode };
    if (entry.kind === 'folder' || entry.size === 0) continue;
    if (Buffer.isBuffer(source)) { for (let at = 0; at < source.length; at += PIECE_BYTES) yield { kind: 'data', data: source.subarray(at, at + PIECE_BYTES) }; continue; }
    for await (const data of inPieces(source.stream(entry.path, { signal }) as AsyncIterable<Buffer>)) yield { kind: 'data', data };
  }
  return { entries: all.length, files, contentBytes };
}
