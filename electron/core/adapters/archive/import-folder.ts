import { isUtf8 } from 'node:buffer';
import { constants, readFileSync, statSync, type Stats } from 'node:fs';
import { lstat, open, readdir, readFile, readlink } from 'node:fs/promises';
import { judgeName } from '#shared/archive-names.ts';
import type { ExcludeConfig, LeftOut } from '#shared/archive-rules.ts';
import { VesselError } from '#shared/errors.ts';
import { FolderExcluder, IGNORE_FILE, type FolderView } from '#shared/exclude/excluder.ts';
import { findTracked, GIT_ENTRY, type GitFiles, type TrackedPaths } from '#shared/exclude/git-tracked.ts';
import type { ArchiveCount, ArchiveOptions, ImportedZip } from '../../ports/archiver.ts';
import { nothingToImport } from './import-zip.ts';
import { notesOnLinks } from './link-notes.ts';
import { makeZip } from './making.ts';
import { displayName, unsafe } from './name-guard.ts';
import { FILE_TYPE } from './zip-format.ts';
import { inPieces, type ZipPiece } from './zip-piece.ts';

/** Names are bytes throughout: on Linux they need not be text. `name` is relative to the imported folder. */
type Found = { readonly name: Buffer; readonly stats: Stats; readonly link: Buffer | null };
/** An ignore file of a person is never longer. */
const MAX_IGNORE_BYTES = 1024 * 1024;
/** A million tracked files are a tenth of this. */
const MAX_INDEX_BYTES = 1024 ** 3;

/** Only names are read from a Git index, and nothing in the folder is ever run. */
const GIT_FILES: GitFiles = {
  kindOf(path) {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? null : stat.isFile() ? 'file' : stat.isDirectory() ? 'dir' : 'other';
  },
  read(path) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return null;
    if (!stat.isFile() || stat.size > MAX_INDEX_BYTES) throw new Error('its index is no file, or too large');
    return readFileSync(path);
  },
};
/** Never through a link, and never waiting for the other end of a pipe, should one have come since the look at everything. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const join = (folder: Buffer, name: Buffer): Buffer => (folder.length === 0 ? name : Buffer.concat([folder, Buffer.from('/'), name]));

/**
 * Zips a folder of this computer without what `exclude` leaves out. Looks at everything first, so limits show before any byte is written.
 * Links are content: wherever they lead they are kept, and none is followed. Throws as Archiver.importFolder.
 */
export async function importFolder(path: string, exclude: ExcludeConfig, options: ArchiveOptions): Promise<ImportedZip> {
  const root = Buffer.from(path);
  const found: Found[] = [];
  const leftOut: LeftOut[] = [];
  let contentBytes = 0;
  /** Looked up once, and only when something would be left out. */
  const trackedIn = (folder: string): (() => TrackedPaths) => {
    let found: TrackedPaths | null = null;
    return () => found ??= findTracked(folder, GIT_FILES);
  };
  const visit = async (folder: Buffer, parent: FolderExcluder | null): Promise<void> => {
    if (options.signal.aborted) throw new VesselError('CANCELLED');
    const names = (await reading(folder, readdir(join(root, folder), { encoding: 'buffer' }))).sort((a, b) => a.compare(b));
    const texts = names.map((name) => name.toString('utf8'));
    const view: FolderView = { path: folder.toString('utf8'), names: new Set(texts), ignoreFile: texts.includes(IGNORE_FILE) ? await readIgnoreFile(join(root, join(folder, Buffer.from(IGNORE_FILE)))) : null, tracked: texts.includes(GIT_ENTRY) ? trackedIn(join(root, folder).toString('utf8')) : null };
    const excluder = parent === null ? FolderExcluder.root(exclude, view) : parent.child(view);
    const kept: { readonly name: Buffer; readonly stats: Stats }[] = [];
    for (const [index, name] of names.entries()) {
      const relative = join(folder, name);
      const full = join(root, relative);
      const stats = await reading(relative, lstat(full));
      const kind = stats.isDirectory() ? 'dir' : stats.isSymbolicLink() ? 'link' : stats.isFile() ? 'file' : null;
      if (kind === null) { leftOut.push({ path: displayName(relative), reason: 'neither file, folder nor link' }); continue; }
      const children = kind === 'dir' ? await reading(relative, readdir(full)) : [];
      const decision = excluder.decide({ name: texts[index] ?? '', kind, childNames: () => children });
      if (decision.report !== null) leftOut.push({ path: `${displayName(relative)}${kind === 'dir' ? '/' : ''}`, reason: decision.report });
      if (!decision.keep) continue;
      kept.push({ name: relative, stats });
    }
    for (const { name, stats } of kept) {
      const judged = judgeName(name.toString('latin1'), 'own');
      if (judged.verdict === 'refused') throw unsafe(name, judged.problem);
      const link = stats.isSymbolicLink() ? await reading(name, readlink(join(root, name), { encoding: 'buffer' })) : null;
      contentBytes += stats.isFile() ? stats.size : 0;
      found.push({ name, stats, link });
      if (found.length > options.maxEntries) throw new VesselError('ARCHIVE_TOO_LARGE', `The folder has more than ${options.maxEntries} entries`, { details: { maxEntries: options.maxEntries } });
      if (contentBytes > options.maxArchiveBytes) throw new VesselError('ARCHIVE_TOO_LARGE', `The folder holds more than ${options.maxArchiveBytes} bytes`, { details: { maxArchiveBytes: options.maxArchiveBytes } });
      if (stats.isDirectory()) await visit(name, excluder);
    }
  };
  await visit(Buffer.alloc(0), null);
  if (!found.some(({ stats }) => !stats.isDirectory())) throw nothingToImport(leftOut);
  const links = new Map(found.flatMap(({ name, link }) => (link === null ? [] : [[name.toString('latin1'), link.toString('latin1')] as const])));
  return { ...makeZip(piecesOf(root, found), options), leftOut, notes: notesOnLinks(links) };
}

async function* piecesOf(root: Buffer, found: readonly Found[]): AsyncGenerator<ZipPiece, ArchiveCount> {
  let files = 0;
  let contentBytes = 0;
  for (const { name, stats, link } of found) {
    const type = stats.isDirectory() ? FILE_TYPE.folder : link === null ? FILE_TYPE.file : FILE_TYPE.link;
    const size = link?.length ?? (stats.isFile() ? stats.size : 0);
    const entryName = stats.isDirectory() ? Buffer.concat([name, Buffer.from('/')]) : name;
    yield { kind: 'entry', name: entryName, utf8: isUtf8(entryName), mtime: Math.trunc(stats.mtimeMs / 1000), size, crc: null, mode: type | (stats.mode & 0o777) };
    if (stats.isDirectory()) continue;
    if (link !== null) { yield { kind: 'data', data: link }; continue; }
    files += 1;
    contentBytes += size;
    const handle = await reading(name, open(join(root, name), OPEN_FLAGS));
    try {
      for await (const data of inPieces(handle.createReadStream({ highWaterMark: 256 * 1024, autoClose: false }) as AsyncIterable<Buffer>)) yield { kind: 'data', data };
    } finally {
      await handle.close();
    }
  }
  return { entries: found.length, files, contentBytes };
}

/** What the file system refuses is named with its path: it is the folder that has to change, not Vessel. */
async function reading<T>(path: Buffer, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    const shown = path.length === 0 ? 'The folder' : `"${displayName(path)}"`;
    throw new VesselError('BAD_REQUEST', `${shown} cannot be read: ${VesselError.from(error).message}`, { cause: error, hint: 'Give Vessel the right to read it, or leave it out with a .vesselignore file in the folder.', details: { path: displayName(path) } });
  }
}

async function readIgnoreFile(path: Buffer): Promise<string | null> {
  const stats = await lstat(path);
  return stats.isFile() && stats.size <= MAX_IGNORE_BYTES ? readFile(path, 'utf8') : null;
}
