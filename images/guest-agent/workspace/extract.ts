import { closeSync, constants, fstatSync, futimesSync, lutimesSync, mkdirSync, openSync, readdirSync, rmSync, symlinkSync, utimesSync, chmodSync, writeSync } from 'node:fs';
import type { WorkspaceInResult } from '#shared/guest-protocol.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { checkArchive, checkLinks, type ArchiveLimits, type CheckedEntry } from './archive-checks.ts';
import { readCentralDirectory } from './central-directory.ts';
import { joinRaw, type RawPath } from './paths.ts';
import { WHOLE_BYTES, ZipReader } from './zip-reader.ts';

const DEFAULT_FILE_MODE = 0o644;
const DEFAULT_FOLDER_MODE = 0o755;
/** While unpacking, every folder must let its owner in. */
const WORKING_FOLDER_MODE = 0o700;
/** mkfs makes it when the workspace is a file system of its own. */
export const LOST_AND_FOUND = 'lost+found';
/** Never through an existing name: not a link, not a file. */
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function writeAll(fd: number, data: Buffer): void {
  for (let done = 0; done < data.length;) done += writeSync(fd, data, done, data.length - done);
}

/** Creates the folders of the archive, parents first, also those that are only implied. Returns how many. */
function makeFolders(root: string, entries: readonly CheckedEntry[]): void {
  const made = new Set<string>();
  const make = (key: string): void => {
    if (key === '' || made.has(key)) return;
    const slash = key.lastIndexOf('/');
    if (slash > 0) make(key.slice(0, slash));
    const bytes = Buffer.from(key, 'latin1');
    mkdirSync(joinRaw(root, bytes), WORKING_FOLDER_MODE | DEFAULT_FOLDER_MODE);
    made.add(key);
  };
  for (const { key, kind } of entries) make(kind === 'dir' ? key : key.slice(0, Math.max(0, key.lastIndexOf('/'))));
}

async function writeFile(reader: ZipReader, { entry }: CheckedEntry, path: RawPath): Promise<void> {
  const mode = entry.mode === 0 ? DEFAULT_FILE_MODE : entry.mode & 0o777;
  const fd = openSync(path, CREATE_FLAGS, mode);
  try {
    if (entry.size <= WHOLE_BYTES && entry.compressedSize <= WHOLE_BYTES) {
      const content = reader.whole(entry);
      if (content.length > 0) writeAll(fd, content);
    } else {
      await reader.stream(entry, (chunk) => writeAll(fd, chunk));
    }
    if (entry.mtimeMs !== null) futimesSync(fd, entry.mtimeMs / 1000, entry.mtimeMs / 1000);
  } finally {
    closeSync(fd);
  }
}

function readTargets(reader: ZipReader, entries: readonly CheckedEntry[]): ReadonlyMap<string, string> {
  const targets = new Map<string, string>();
  for (const { entry, key, kind } of entries) {
    if (kind !== 'link') continue;
    const target = reader.whole(entry).toString('latin1');
    if (target === '' || target.includes('\0')) throw new VesselError('ARCHIVE_UNSAFE', `${JSON.stringify(key)} is a link without a usable target`);
    targets.set(key, target);
  }
  return targets;
}

/** Removes everything inside the workspace. */
function emptyFolder(root: string): void {
  for (const name of readdirSync(root, 'buffer')) {
    if (name.toString('latin1') !== LOST_AND_FOUND) rmSync(joinRaw(root, name), { recursive: true, force: true });
  }
}

/**
 * Unpacks an archive into the empty folder `root`. Everything is checked before the first file is written; when a checksum fails on the
 * way, what was written is removed again. Throws CONFLICT when the folder is not empty, ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE,
 * ARCHIVE_CORRUPT, DISK_FULL.
 */
export async function extractArchive(zipPath: string, root: string, limits: ArchiveLimits): Promise<WorkspaceInResult> {
  if (readdirSync(root).some((name) => name !== LOST_AND_FOUND)) throw new VesselError('CONFLICT', 'the workspace is not empty');
  const fd = openSync(zipPath, 'r');
  try {
    const fileBytes = fstatSync(fd).size;
    const directory = readCentralDirectory(fd, fileBytes, limits.maxEntries);
    const entries = checkArchive(directory, limits);
    const reader = new ZipReader(fd, fileBytes);
    const targets = readTargets(reader, entries);
    if (limits.links === 'refuse') checkLinks(entries, targets);
    try {
      return await writeEntries(reader, root, entries, targets);
    } catch (error) {
      emptyFolder(root);
      throw error;
    }
  } finally {
    closeSync(fd);
  }
}

async function writeEntries(reader: ZipReader, root: string, entries: readonly CheckedEntry[], targets: ReadonlyMap<string, string>): Promise<WorkspaceInResult> {
  makeFolders(root, entries);
  let files = 0;
  let contentBytes = 0;
  const inOrder = entries.filter(({ kind }) => kind === 'file').sort((a, b) => a.entry.offset - b.entry.offset);
  for (const checked of inOrder) {
    await writeFile(reader, checked, joinRaw(root, checked.path));
    files += 1;
    contentBytes += checked.entry.size;
  }
  // Links last: until now no path could lead through one.
  for (const { entry, key, path, kind } of entries) {
    if (kind !== 'link') continue;
    const place = joinRaw(root, path);
    symlinkSync(Buffer.from(targets.get(key) ?? '', 'latin1'), place);
    if (entry.mtimeMs !== null) lutimesSync(place, entry.mtimeMs / 1000, entry.mtimeMs / 1000);
  }
  // Folders get their mode and time at the very end, deepest first, because each new entry would touch them.
  const folders = entries.filter(({ kind }) => kind === 'dir').sort((a, b) => b.key.length - a.key.length);
  for (const { entry, path } of folders) {
    const place = joinRaw(root, path);
    const mode = entry.mode === 0 ? DEFAULT_FOLDER_MODE : entry.mode & 0o777;
    if (mode !== DEFAULT_FOLDER_MODE) chmodSync(place, mode);
    if (entry.mtimeMs !== null) utimesSync(place, entry.mtimeMs / 1000, entry.mtimeMs / 1000);
  }
  return { entries: entries.length, files, contentBytes };
}
