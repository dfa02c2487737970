import { readFileSync, statSync, type Stats } from 'node:fs';
import { lstat, open, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExcludeConfig, LeftOut } from '#shared/archive-rules.ts';
import { VesselError } from '#shared/errors.ts';
import { FolderExcluder, IGNORE_FILE, type FolderView } from '#shared/exclude/excluder.ts';
import { findTracked, GIT_ENTRY, type GitFiles, type TrackedPaths } from '#shared/exclude/git-tracked.ts';
import type { ArchiveCount, ArchiveOptions, ZipInTheMaking } from '../../ports/archiver.ts';
import { inPieces } from './import-zip.ts';
import { makeZip } from './making.ts';
import { checkLink } from './name-guard.ts';
import { FILE_TYPE } from './zip-format.ts';
import type { ZipPiece } from './zip-piece.ts';

type Found = { readonly name: string; readonly stats: Stats; readonly link: Buffer | null };
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

/** Zips a folder of this computer without what `exclude` leaves out. Looks at everything first, so limits and unsafe links show before any byte is written. */
export async function importFolder(root: string, exclude: ExcludeConfig, options: ArchiveOptions): Promise<ZipInTheMaking & { readonly leftOut: readonly LeftOut[] }> {
  const found: Found[] = [];
  const leftOut: LeftOut[] = [];
  let contentBytes = 0;
  /** Looked up once, and only when something would be left out. */
  const trackedIn = (folder: string): (() => TrackedPaths) => {
    let found: TrackedPaths | null = null;
    return () => found ??= findTracked(folder, GIT_FILES);
  };
  const visit = async (path: string, parent: FolderExcluder | null): Promise<void> => {
    if (options.signal.aborted) throw new VesselError('CANCELLED');
    const names = (await readdir(join(root, path))).sort();
    const view: FolderView = { path, names: new Set(names), ignoreFile: names.includes(IGNORE_FILE) ? await readIgnoreFile(join(root, path, IGNORE_FILE)) : null, tracked: names.includes(GIT_ENTRY) ? trackedIn(join(root, path)) : null };
    const excluder = parent === null ? FolderExcluder.root(exclude, view) : parent.child(view);
    const kept: { readonly name: string; readonly stats: Stats }[] = [];
    for (const name of names) {
      const full = join(root, path, name);
      const stats = await lstat(full);
      const kind = stats.isDirectory() ? 'dir' : stats.isSymbolicLink() ? 'link' : stats.isFile() ? 'file' : null;
      const relative = path === '' ? name : `${path}/${name}`;
      if (kind === null) { leftOut.push({ path: relative, reason: 'neither file, folder nor link' }); continue; }
      const children = kind === 'dir' ? await readdir(full) : [];
      const decision = excluder.decide({ name, kind, childNames: () => children });
      if (decision.report !== null) leftOut.push({ path: kind === 'dir' ? `${relative}/` : relative, reason: decision.report });
      if (!decision.keep) continue;
      kept.push({ name: relative, stats });
    }
    for (const { name, stats } of kept) {
      const link = stats.isSymbolicLink() ? await readlink(join(root, name), 'buffer') : null;
      if (link !== null) checkLink(Buffer.from(name), link);
      contentBytes += stats.isFile() ? stats.size : 0;
      found.push({ name: stats.isDirectory() ? `${name}/` : name, stats, link });
      if (found.length > options.maxEntries) throw new VesselError('ARCHIVE_TOO_LARGE', `The folder has more than ${options.maxEntries} entries`, { details: { maxEntries: options.maxEntries } });
      if (contentBytes > options.maxArchiveBytes) throw new VesselError('ARCHIVE_TOO_LARGE', `The folder holds more than ${options.maxArchiveBytes} bytes`, { details: { maxArchiveBytes: options.maxArchiveBytes } });
      if (stats.isDirectory()) await visit(name, excluder);
    }
  };
  await visit('', null);
  return { ...makeZip(piecesOf(root, found), options), leftOut };
}

async function* piecesOf(root: string, found: readonly Found[]): AsyncGenerator<ZipPiece, ArchiveCount> {
  let files = 0;
  let contentBytes = 0;
  for (const { name, stats, link } of found) {
    const type = stats.isDirectory() ? FILE_TYPE.folder : link === null ? FILE_TYPE.file : FILE_TYPE.link;
    const size = link?.length ?? (stats.isFile() ? stats.size : 0);
    yield { kind: 'entry', name: Buffer.from(name), utf8: true, mtime: Math.trunc(stats.mtimeMs / 1000), size, crc: null, mode: type | (stats.mode & 0o7777) };
    if (stats.isDirectory()) continue;
    if (link !== null) { yield { kind: 'data', data: link }; continue; }
    files += 1;
    contentBytes += size;
    const handle = await open(join(root, name.replace(/\/$/, '')), 'r');
    try {
      for await (const data of inPieces(handle.createReadStream({ highWaterMark: 256 * 1024, autoClose: false }) as AsyncIterable<Buffer>)) yield { kind: 'data', data };
    } finally {
      await handle.close();
    }
  }
  return { entries: found.length, files, contentBytes };
}

async function readIgnoreFile(path: string): Promise<string | null> {
  const stats = await lstat(path);
  return stats.isFile() && stats.size <= MAX_IGNORE_BYTES ? readFile(path, 'utf8') : null;
}
