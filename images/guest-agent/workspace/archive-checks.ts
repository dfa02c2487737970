import { VesselError } from '#shared/vessel-error.ts';
import type { CentralDirectory, ZipEntry } from './central-directory.ts';
import { showPath, type RawPath } from './paths.ts';
import * as zip from './zip-format.ts';

/** An entry that passed every check; `path` has no trailing slash and stays inside the workspace. */
export type CheckedEntry = { readonly entry: ZipEntry; readonly path: RawPath; readonly kind: 'file' | 'dir' | 'link'; /** The path's bytes as latin1 text: a key that keeps every byte. */ readonly key: string };

export type ArchiveLimits = { readonly maxBytes: number; readonly maxEntries: number; readonly links: 'refuse' | 'keep' };

/** Limits of the kernel: NAME_MAX, and PATH_MAX less room for the workspace's own path. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 3800;
/** PATH_MAX: no symlink target is longer. */
export const MAX_LINK_BYTES = 4095;

const unsafe = (entry: ZipEntry, why: string): VesselError => new VesselError('ARCHIVE_UNSAFE', `${JSON.stringify(showPath(entry.name))} ${why}`, { details: { entry: showPath(entry.name), why } });

function kindOf(entry: ZipEntry, hasSlash: boolean): CheckedEntry['kind'] {
  const type = entry.mode & zip.TYPE_MASK;
  if (type === zip.TYPE_LINK && !hasSlash) return 'link';
  if (type === zip.TYPE_FOLDER || (type === 0 && hasSlash)) return 'dir';
  if ((type === zip.TYPE_FILE || type === 0) && !hasSlash) return 'file';
  throw unsafe(entry, 'is neither a file, a folder nor a link');
}

function checkName(entry: ZipEntry, links: ArchiveLimits['links']): CheckedEntry | null {
  const bytes = Buffer.from(entry.name as string);
  let key = bytes.toString('latin1');
  while (key.startsWith('./')) key = key.slice(2);
  const hasSlash = key.endsWith('/');
  if (hasSlash) key = key.slice(0, -1);
  if (key === '' || key === '.') {
    // `./` is the workspace itself.
    if (bytes[0] === 0x2e) return null;
    throw unsafe(entry, 'has no name');
  }
  if (key.startsWith('/')) throw unsafe(entry, 'is an absolute path');
  if (key.includes('\0')) throw unsafe(entry, 'contains a NUL');
  // Our own revisions may hold such names, and on Linux they mean nothing; in a foreign archive they are paths of another system.
  if (links === 'refuse' && key.includes('\\')) throw unsafe(entry, 'contains a backslash');
  if (key.length > MAX_PATH_BYTES) throw unsafe(entry, 'is too long a path');
  for (const part of key.split('/')) {
    if (part === '..') throw unsafe(entry, 'leaves the workspace');
    if (part === '' || part === '.') throw unsafe(entry, 'has an empty part');
    if (part.length > MAX_NAME_BYTES) throw unsafe(entry, 'has too long a name');
  }
  const path = typeof entry.name === 'string' ? Buffer.from(key, 'latin1').toString('utf8') : Buffer.from(key, 'latin1');
  return { entry, path, key, kind: kindOf(entry, hasSlash) };
}

function checkSupported(entry: ZipEntry): void {
  if ((entry.flags & (zip.FLAG_ENCRYPTED | zip.FLAG_STRONG_ENCRYPTION | zip.FLAG_MASKED_HEADERS)) !== 0) throw unsafe(entry, 'is encrypted');
  if (entry.method !== zip.METHOD_STORED && entry.method !== zip.METHOD_DEFLATED) {
    throw new VesselError('ARCHIVE_CORRUPT', `${JSON.stringify(showPath(entry.name))} uses compression method ${entry.method}, which is not supported`);
  }
  if (entry.method === zip.METHOD_STORED && entry.size !== entry.compressedSize) throw new VesselError('ARCHIVE_CORRUPT', `${JSON.stringify(showPath(entry.name))} is stored and has two sizes`);
}

/** No name twice, no file used as a folder, nothing below a link. */
function checkTree(entries: readonly CheckedEntry[]): void {
  const kinds = new Map<string, CheckedEntry['kind'] | 'implied'>();
  for (const { entry, key, kind } of entries) {
    const before = kinds.get(key);
    if (before !== undefined && !(before === 'implied' && kind === 'dir')) throw unsafe(entry, before === 'implied' ? 'is both a folder and something else' : 'is there twice');
    kinds.set(key, kind);
    for (let slash = key.lastIndexOf('/'); slash > 0; slash = key.lastIndexOf('/', slash - 1)) {
      const parent = key.slice(0, slash);
      const parentKind = kinds.get(parent);
      if (parentKind === 'dir' || parentKind === 'implied') break;
      if (parentKind !== undefined) throw unsafe(entry, `lies below a ${parentKind}`);
      kinds.set(parent, 'implied');
    }
  }
}

/** Entries may not share bytes: overlapping ones are how small archives unpack to petabytes. */
function checkOverlaps(entries: readonly ZipEntry[], end: number): void {
  const sorted = [...entries].sort((a, b) => a.offset - b.offset);
  let free = 0;
  for (const entry of sorted) {
    if (entry.offset < free) throw unsafe(entry, 'overlaps another entry');
    free = entry.offset + zip.LOCAL_BYTES + entry.nameBytes.length + entry.compressedSize;
    if (free > end) throw new VesselError('ARCHIVE_CORRUPT', `${JSON.stringify(showPath(entry.name))} lies outside the archive`);
  }
}

/**
 * Checks the whole table of contents, before anything is written. Returns the entries in archive order.
 * Throws ARCHIVE_UNSAFE naming the entry, ARCHIVE_TOO_LARGE, ARCHIVE_CORRUPT.
 */
export function checkArchive(directory: CentralDirectory, limits: ArchiveLimits): readonly CheckedEntry[] {
  const checked: CheckedEntry[] = [];
  let bytes = 0;
  for (const entry of directory.entries) {
    const result = checkName(entry, limits.links);
    checkSupported(entry);
    bytes += entry.size;
    if (bytes > limits.maxBytes) throw new VesselError('ARCHIVE_TOO_LARGE', `the archive unpacks to more than ${limits.maxBytes} bytes`, { details: { maxBytes: limits.maxBytes } });
    if (result === null) continue;
    if (result.kind === 'link' && entry.size > MAX_LINK_BYTES) throw unsafe(entry, 'is a link with too long a target');
    if (result.kind === 'dir' && entry.size > 0) throw unsafe(entry, 'is a folder with content');
    checked.push(result);
  }
  checkOverlaps(directory.entries, directory.start);
  checkTree(checked);
  return checked;
}

/** Most links the kernel follows in one path (path_resolution(7)). */
const MAX_LINK_DEPTH = 40;

/**
 * Checks that no link leads out of the workspace, following links through links as the kernel would. `targets` maps keys to targets, both
 * latin1. Throws ARCHIVE_UNSAFE for an absolute target, one that climbs above the root, or a loop of links.
 */
export function checkLinks(entries: readonly CheckedEntry[], targets: ReadonlyMap<string, string>): void {
  for (const { entry, key, kind } of entries) {
    if (kind !== 'link') continue;
    let followed = 0;
    const walk = (from: readonly string[], target: string): string[] => {
      followed += 1;
      if (target.startsWith('/')) throw unsafe(entry, 'is a link to an absolute path');
      if (followed > MAX_LINK_DEPTH) throw unsafe(entry, 'is a link that never ends');
      let stack = [...from];
      for (const part of target.split('/')) {
        if (part === '' || part === '.') continue;
        if (part === '..') {
          if (stack.pop() === undefined) throw unsafe(entry, 'is a link that leaves the workspace');
          continue;
        }
        const next = targets.get([...stack, part].join('/'));
        if (next === undefined) stack.push(part);
        else stack = walk(stack, next);
      }
      return stack;
    };
    walk(key.split('/').slice(0, -1), targets.get(key) ?? '');
  }
}
