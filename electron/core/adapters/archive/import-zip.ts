import { isUtf8 } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import { NO_ATTRIBUTES, type EntryAttributes, type Owner } from '#shared/archive-fields.ts';
import { ArchiveTree, judgeName, judgeTarget, kindOfEntry, MAX_LINK_BYTES, type EntryKind } from '#shared/archive-names.ts';
import type { LeftOut } from '#shared/archive-rules.ts';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveCount, ArchiveLimits, ImportedZip, ImportZipOptions } from '../../ports/archiver.ts';
import { boundEntries, contentOf, corruptEntry, type BoundedEntry } from './foreign-content.ts';
import { readForeignDirectory, type ForeignDirectory, type ForeignEntry } from './foreign-directory.ts';
import { makeZip } from './making.ts';
import { displayName, problemOfPlace, unsafe } from './name-guard.ts';
import { notesOnLinks } from './link-notes.ts';
import { withoutTopFolder } from './top-folder.ts';
import { FILE_TYPE, FLAG, METHOD } from './zip-format.ts';
import type { ZipPiece } from './zip-piece.ts';

/** Real content deflates to a thousandth at the very most (zlib's limit is 1:1032); beyond it the header lies. */
const MAX_RATIO = 1100;
const TYPES = { file: FILE_TYPE.file, dir: FILE_TYPE.folder, link: FILE_TYPE.link } as const;
const DEFAULT_MODE = { file: 0o644, dir: 0o755, link: 0o777 } as const;
const ENCRYPTED = FLAG.encrypted | FLAG.strongEncryption | FLAG.maskedHeaders;

/** An entry that passed every check; `path` is byte text without a closing slash. */
type Checked = { readonly entry: ForeignEntry; readonly path: string; readonly kind: EntryKind };

/**
 * A zip from elsewhere, rewritten in Vessel's own form: clean paths, Unix modes, known methods only. Every name and size is judged before
 * the first byte leaves, by the rules an open applies; content is checked against its CRC while it streams. Links are content: wherever they
 * lead they are kept, and nothing here follows one. Throws as Archiver.importZip.
 */
export async function importZip(path: string, options: ImportZipOptions): Promise<ImportedZip> {
  const file = await openFile(path);
  try {
    const directory = await readForeignDirectory(file, options.maxEntries);
    const ownForm = directory.entries.every((entry) => entry.ownForm);
    const { checked, leftOut } = check(directory, options, ownForm);
    const bounded = new Map(boundEntries(directory.entries, directory.start).map((item) => [item.entry, item]));
    const targets = await readTargets(file, checked, bounded);
    // What Vessel exported is the whole workspace, so it comes back as it was.
    const top = ownForm || options.topFolder === 'keep' ? null : withoutTopFolder(checked, targets);
    const kept = top?.entries ?? checked;
    const notes = [
      ...(top === null ? [] : [`The zip holds one folder, "${displayName(Buffer.from(top.folder, 'latin1'))}": its content became the workspace`]),
      ...notesOnLinks(new Map(kept.flatMap((item) => { const target = targets.get(item.entry); return target === undefined ? [] : [[item.path, target] as const]; }))),
    ];
    if (!kept.some(({ kind }) => kind !== 'dir')) throw nothingToImport(leftOut);
    const zip = makeZip(piecesOf(file, kept, bounded, ownForm), options);
    // Also when it is given up before anything was read of it. It was only read: a close that fails loses nothing.
    zip.content.once('close', () => { file.close().catch(() => undefined); });
    return { ...zip, leftOut, notes };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Counts what a zip holds by its central directory. */
export async function countZip(path: string): Promise<ArchiveCount> {
  const file = await openFile(path);
  try {
    const { entries } = await readForeignDirectory(file, Infinity);
    const contentBytes = entries.reduce((sum, { size }) => sum + size, 0);
    return { entries: entries.length, files: entries.filter(({ name }) => name.at(-1) !== 0x2f).length, contentBytes };
  } finally {
    await file.close();
  }
}

export function nothingToImport(leftOut: readonly LeftOut[]): VesselError {
  return new VesselError('BAD_REQUEST', 'There is nothing to import in there', {
    hint: leftOut.length === 0 ? 'It holds no file. Choose another, or start with a template: vessel project create.' : `It holds no file besides the ${leftOut.length} that are left out, like "${leftOut[0]?.path ?? ''}" (${leftOut[0]?.reason ?? ''}).`,
    details: { leftOut: leftOut.slice(0, 20) },
  });
}

async function openFile(path: string): Promise<FileHandle> {
  return open(path, 'r').catch((error: unknown) => { throw new VesselError('ARCHIVE_CORRUPT', `The zip cannot be read: ${VesselError.from(error).message}`, { cause: error }); });
}

/** Everything that the table of contents tells. Throws ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE, ARCHIVE_CORRUPT. */
function check({ entries }: ForeignDirectory, limits: ArchiveLimits, ownForm: boolean): { readonly checked: readonly Checked[]; readonly leftOut: readonly LeftOut[] } {
  const tree = new ArchiveTree();
  const checked: Checked[] = [];
  const leftOut: LeftOut[] = [];
  let contentBytes = 0;
  for (const entry of entries) {
    contentBytes += entry.size;
    if (contentBytes > limits.maxArchiveBytes) throw new VesselError('ARCHIVE_TOO_LARGE', `The archive unpacks to more than ${limits.maxArchiveBytes} bytes at "${displayName(entry.name)}"`, { details: { entry: displayName(entry.name), maxArchiveBytes: limits.maxArchiveBytes } });
    // On Unix a backslash is a character like any other; elsewhere it is part of a path.
    const judged = judgeName(entry.name.toString('latin1'), entry.madeByUnix ? 'own' : 'foreign');
    if (judged.verdict === 'refused') throw unsafe(entry.name, judged.problem);
    checkReadable(entry);
    if (judged.verdict === 'workspace') continue;
    const kind = entry.dosFolder && entry.size === 0 ? 'dir' : kindOfEntry(entry.mode, judged.isFolder);
    if (kind === null) throw unsafe(entry.name, 'is neither file, folder nor link');
    if (kind === 'dir' && entry.size > 0) throw unsafe(entry.name, 'is a folder with content');
    const junk = ownForm ? null : junkReason(judged.path, kind);
    if (junk !== null) { leftOut.push({ path: displayName(entry.name), reason: junk }); continue; }
    const placed = tree.add(judged.path, kind === 'dir');
    if (placed === 'twice' || placed === 'below a file or a link') throw unsafe(entry.name, problemOfPlace(placed));
    // A folder that is named again says nothing new.
    if (placed === 'new') checked.push({ entry, path: judged.path, kind });
  }
  return { checked, leftOut };
}

function checkReadable(entry: ForeignEntry): void {
  const shown = displayName(entry.name);
  if ((entry.flags & ENCRYPTED) !== 0) throw new VesselError('ARCHIVE_UNSAFE', `Entry "${shown}" is encrypted`, { hint: 'Unpack it with its password and import the folder.', details: { entry: shown } });
  if (entry.method !== METHOD.stored && entry.method !== METHOD.deflated) throw new VesselError('ARCHIVE_CORRUPT', `Entry "${shown}" uses a compression that Vessel does not read`, { hint: 'Make the zip again with ordinary (deflate) compression.', details: { entry: shown, method: entry.method } });
  if (entry.method === METHOD.stored && entry.size !== entry.compressedSize) throw corruptEntry(entry, 'is stored and has two sizes');
  if (entry.size > 65_536 && entry.size > entry.compressedSize * MAX_RATIO) throw corruptEntry(entry, 'claims an impossible compression');
}

/** What the Finder of macOS puts into every zip; Unix and Windows programs have no use for it. */
function junkReason(path: string, kind: EntryKind): string | null {
  if (path === '__MACOSX' || path.startsWith('__MACOSX/')) return 'resource forks of macOS';
  return kind === 'file' && (path === '.DS_Store' || path.endsWith('/.DS_Store')) ? 'view settings of the macOS Finder' : null;
}

/** The targets of links as byte text. Throws ARCHIVE_UNSAFE for one that no system can make. */
async function readTargets(file: FileHandle, checked: readonly Checked[], bounded: ReadonlyMap<ForeignEntry, BoundedEntry>): Promise<ReadonlyMap<ForeignEntry, string>> {
  const targets = new Map<ForeignEntry, string>();
  for (const { entry, kind } of checked) {
    if (kind !== 'link') continue;
    if (entry.size > MAX_LINK_BYTES) throw unsafe(entry.name, 'is a link of impossible length');
    const parts: Buffer[] = [];
    const place = bounded.get(entry);
    if (place !== undefined) for await (const part of contentOf(file, place)) parts.push(part);
    const target = Buffer.concat(parts).toString('latin1');
    const problem = judgeTarget(target);
    if (problem !== null) throw unsafe(entry.name, problem);
    targets.set(entry, target);
  }
  return targets;
}

/** The kinds of attributes that a save carries; any other could not be set when the project is opened. */
const XATTR_NAMES = /^(?:user\.|system\.posix_acl_|security\.capability$)/;

/** Owner, exact time, holes, shared content and attributes, as Vessel's own archives keep them. */
function ownFields({ owner, attributes }: ForeignEntry): { readonly owner: Owner | null; readonly attributes: EntryAttributes; readonly sparse: boolean } {
  const xattrs = attributes.xattrs.filter(({ name }) => XATTR_NAMES.test(Buffer.from(name).toString('latin1')));
  return { owner, attributes: attributes === NO_ATTRIBUTES ? attributes : { ...attributes, xattrs }, sparse: attributes.sparse };
}

async function* piecesOf(file: FileHandle, kept: readonly Checked[], bounded: ReadonlyMap<ForeignEntry, BoundedEntry>, ownForm: boolean): AsyncGenerator<ZipPiece, ArchiveCount> {
  let files = 0;
  let contentBytes = 0;
  for (const { entry, path, kind } of kept) {
    const name = Buffer.from(kind === 'dir' ? `${path}/` : path, 'latin1');
    const type = entry.mode & FILE_TYPE.mask;
    // DOS knows no permissions, and some makers write a mode without any.
    const mode = TYPES[kind] | (entry.mode === 0 || (type === 0 && kind !== 'file') ? DEFAULT_MODE[kind] : entry.mode & (ownForm ? 0o7777 : 0o777));
    if (kind === 'file') { files += 1; contentBytes += entry.size; }
    yield { kind: 'entry', name, utf8: isUtf8(name), mtime: entry.mtime, size: entry.size, crc: entry.crc, mode, ...(ownForm ? ownFields(entry) : {}) };
    const place = bounded.get(entry);
    if (kind === 'dir' || place === undefined) continue;
    for await (const data of contentOf(file, place)) yield { kind: 'data', data };
  }
  return { entries: kept.length, files, contentBytes };
}
