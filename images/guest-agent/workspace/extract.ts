import { chmodSync, closeSync, constants, fstatSync, ftruncateSync, futimesSync, linkSync, lutimesSync, mkdirSync, openSync, readdirSync, rmdirSync, symlinkSync, unlinkSync, utimesSync, writeSync } from 'node:fs';
import { HOLE_BYTES, METHOD_SPARSE, type Owner } from '#shared/archive-fields.ts';
import type { WorkspaceInResult } from '#shared/guest-protocol.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { applyAttributes } from './apply-attributes.ts';
import { checkArchive, checkLinks, type ArchiveLimits, type CheckedEntry } from './archive-checks.ts';
import { asUser, asSelf } from './acting-user.ts';
import { readCentralDirectory } from './central-directory.ts';
import { FolderCursor, splitKey } from './folder-cursor.ts';
import { LOST_AND_FOUND } from './folder-list.ts';
import { WHOLE_BYTES, ZipReader } from './zip-reader.ts';

const DEFAULT_FILE_MODE = 0o644;
const DEFAULT_FOLDER_MODE = 0o755;
/** While unpacking, every folder must let its owner in. */
const WORKING_FOLDER_MODE = 0o700;
/** Never through an existing name: not a link, not a file. */
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const ZEROS = Buffer.alloc(HOLE_BYTES);

export type ExtractOptions = ArchiveLimits & { /** Whom everything belongs to, save what our own archive says otherwise. */ readonly owner: Owner };

function writeAll(fd: number, data: Buffer, position: number): void {
  for (let done = 0; done < data.length;) done += writeSync(fd, data, done, data.length - done, position + done);
}

/** Node takes a negative number for "now", but not a text of one. */
const seconds = (mtimeMs: number): number | string => (mtimeMs < 0 ? String(mtimeMs / 1000) : mtimeMs / 1000);

/** Writes without the blocks that are zeros, which thereby become holes. */
function writeSparsely(fd: number, data: Buffer, position: number): void {
  let from = 0;
  for (let at = (HOLE_BYTES - position % HOLE_BYTES) % HOLE_BYTES; at + HOLE_BYTES <= data.length; at += HOLE_BYTES) {
    if (!data.subarray(at, at + HOLE_BYTES).equals(ZEROS)) continue;
    if (at > from) writeAll(fd, data.subarray(from, at), position + from);
    from = at + HOLE_BYTES;
  }
  if (from < data.length) writeAll(fd, data.subarray(from), position + from);
}

/** Creates the folders of the archive, parents first, also those that are only implied. */
function makeFolders(cursor: FolderCursor, entries: readonly CheckedEntry[]): void {
  const made = new Set<string>();
  const make = (key: string): void => {
    if (key === '' || made.has(key)) return;
    const { folder, name } = splitKey(key);
    make(folder);
    cursor.enter(folder);
    mkdirSync(name, WORKING_FOLDER_MODE | DEFAULT_FOLDER_MODE);
    made.add(key);
  };
  for (const { key, kind } of entries) make(kind === 'dir' ? key : splitKey(key).folder);
}

async function writeFile(reader: ZipReader, { entry }: CheckedEntry, name: Buffer, keep: boolean): Promise<void> {
  const mode = entry.mode === 0 ? DEFAULT_FILE_MODE : entry.mode & 0o777;
  const fd = openSync(name, CREATE_FLAGS, mode);
  try {
    const { sparse } = entry.attributes;
    if (entry.method === METHOD_SPARSE) {
      reader.frames(entry, (data, position) => writeAll(fd, data, position));
      ftruncateSync(fd, entry.size);
    } else if (entry.size <= WHOLE_BYTES && entry.compressedSize <= WHOLE_BYTES && !sparse) {
      const content = reader.whole(entry);
      if (content.length > 0) writeAll(fd, content, 0);
    } else {
      let position = 0;
      await reader.stream(entry, (chunk) => {
        if (sparse && keep) writeSparsely(fd, chunk, position);
        else writeAll(fd, chunk, position);
        position += chunk.length;
      });
      ftruncateSync(fd, entry.size);
    }
    if (entry.mtimeMs !== null) futimesSync(fd, seconds(entry.mtimeMs), seconds(entry.mtimeMs));
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

/** Removes everything in the cursor's folder, however deep it lies. */
function emptyFolder(cursor: FolderCursor, keep: string | null): void {
  for (const entry of readdirSync('.', { withFileTypes: true, encoding: 'buffer' })) {
    if (entry.name.toString('latin1') === keep) continue;
    if (!entry.isDirectory()) {
      unlinkSync(entry.name);
      continue;
    }
    chmodSync(entry.name, WORKING_FOLDER_MODE);
    cursor.down(entry.name);
    emptyFolder(cursor, null);
    cursor.up();
    rmdirSync(entry.name);
  }
}

/**
 * Unpacks an archive into the empty folder `root`. Everything is checked before the first file is written; when something fails on the way,
 * what was written is removed again. All is created as the workspace's user. An archive of our own (`links: 'keep'`) may then give its entries
 * other owners, set-id bits, extended attributes and second names; what a foreign one says of those is ignored. Throws CONFLICT when the folder
 * is not empty, ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE, ARCHIVE_CORRUPT, DISK_FULL.
 */
export async function extractArchive(zipPath: string, root: string, options: ExtractOptions): Promise<WorkspaceInResult> {
  if (readdirSync(root).some((name) => name !== LOST_AND_FOUND)) throw new VesselError('CONFLICT', 'the workspace is not empty');
  const fd = openSync(zipPath, 'r');
  try {
    const fileBytes = fstatSync(fd).size;
    const directory = readCentralDirectory(fd, fileBytes, options.maxEntries);
    const entries = checkArchive(directory, options);
    const reader = new ZipReader(fd, fileBytes);
    const targets = readTargets(reader, entries);
    if (options.links === 'refuse') checkLinks(entries, targets);
    const cursor = new FolderCursor(root);
    try {
      asUser(options.owner);
      const result = await writeEntries(reader, cursor, entries, targets, options.links === 'keep');
      asSelf();
      if (options.links === 'keep') applyAttributes(cursor, root, entries, options.owner);
      return result;
    } catch (error) {
      asSelf();
      cursor.enter('');
      emptyFolder(cursor, LOST_AND_FOUND);
      throw error;
    } finally {
      asSelf();
      cursor.close();
    }
  } finally {
    closeSync(fd);
  }
}

/** Children before their folders: at the end, because each new entry would touch its folder's time. */
const innermostFirst = (entries: readonly CheckedEntry[]): readonly CheckedEntry[] => {
  const order = new Map(entries.map((entry) => [entry, entry.key.replaceAll('/', '\0')]));
  return [...entries].sort((a, b) => ((order.get(a) ?? '') < (order.get(b) ?? '') ? 1 : -1));
};

async function writeEntries(reader: ZipReader, cursor: FolderCursor, entries: readonly CheckedEntry[], targets: ReadonlyMap<string, string>, keep: boolean): Promise<WorkspaceInResult> {
  makeFolders(cursor, entries);
  let files = 0;
  let contentBytes = 0;
  /** The first name of each file that has several. */
  const first = new Map<number, CheckedEntry>();
  const second: { readonly checked: CheckedEntry; readonly as: CheckedEntry }[] = [];
  const inOrder = entries.filter(({ kind }) => kind === 'file').sort((a, b) => a.entry.offset - b.entry.offset);
  for (const checked of inOrder) {
    files += 1;
    contentBytes += checked.entry.size;
    const { linkGroup } = checked.entry.attributes;
    if (keep && linkGroup !== null) {
      const as = first.get(linkGroup);
      if (as !== undefined && as.entry.crc === checked.entry.crc && as.entry.size === checked.entry.size) {
        second.push({ checked, as });
        continue;
      }
      first.set(linkGroup, checked);
    }
    const { folder, name } = splitKey(checked.key);
    cursor.enter(folder);
    await writeFile(reader, checked, name, keep);
  }
  for (const { checked, as } of second) makeSecondName(cursor, as, checked);
  // Links last: until now no path could lead through one.
  for (const { entry, key, kind } of entries) {
    if (kind !== 'link') continue;
    const { folder, name } = splitKey(key);
    cursor.enter(folder);
    symlinkSync(Buffer.from(targets.get(key) ?? '', 'latin1'), name);
    if (entry.mtimeMs !== null) lutimesSync(name, seconds(entry.mtimeMs), seconds(entry.mtimeMs));
  }
  for (const { entry, key } of innermostFirst(entries.filter(({ kind }) => kind === 'dir'))) {
    const { folder, name } = splitKey(key);
    cursor.enter(folder);
    const mode = entry.mode === 0 ? DEFAULT_FOLDER_MODE : entry.mode & 0o777;
    if (mode !== DEFAULT_FOLDER_MODE) chmodSync(name, mode);
    if (entry.mtimeMs !== null) utimesSync(name, seconds(entry.mtimeMs), seconds(entry.mtimeMs));
  }
  return { entries: entries.length, files, contentBytes };
}

/** A hard link, made from the folder of the new name to a descriptor of the file itself, so no path is too long for it. */
function makeSecondName(cursor: FolderCursor, as: CheckedEntry, checked: CheckedEntry): void {
  const from = splitKey(as.key);
  const to = splitKey(checked.key);
  cursor.enter(from.folder);
  const folder = openSync('.', constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    cursor.enter(to.folder);
    linkSync(Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), from.name]), to.name);
  } finally {
    closeSync(folder);
  }
}
