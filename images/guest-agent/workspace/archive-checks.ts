import { METHOD_SPARSE } from '#shared/archive-fields.ts';
import { ArchiveTree, judgeName, kindOfEntry, MAX_LINK_BYTES } from '#shared/archive-names.ts';
import { VesselError } from '#shared/vessel-error.ts';
import type { CentralDirectory, ZipEntry } from './central-directory.ts';
import { showPath, type RawPath } from './paths.ts';
import * as zip from './zip-format.ts';

/** An entry that passed every check; `path` has no trailing slash and stays inside the workspace. */
export type CheckedEntry = { readonly entry: ZipEntry; readonly path: RawPath; readonly kind: 'file' | 'dir' | 'link'; /** The path's bytes as latin1 text: a key that keeps every byte. */ readonly key: string };

export type ArchiveLimits = { readonly maxBytes: number; readonly maxEntries: number; readonly links: 'refuse' | 'keep' };

const unsafe = (entry: ZipEntry, why: string): VesselError => new VesselError('ARCHIVE_UNSAFE', `${JSON.stringify(showPath(entry.name))} ${why}`, { details: { entry: showPath(entry.name), why } });

/** Null for the workspace itself. Names are judged as on the desktop, see archive-names.ts. */
function checkName(entry: ZipEntry, links: ArchiveLimits['links']): CheckedEntry | null {
  const name = Buffer.from(entry.name as string).toString('latin1');
  const judged = judgeName(name, links === 'keep' ? 'own' : 'foreign');
  if (judged.verdict === 'refused') throw unsafe(entry, judged.problem);
  if (judged.verdict === 'workspace') return null;
  const kind = kindOfEntry(entry.mode, judged.isFolder);
  if (kind === null) throw unsafe(entry, 'is neither a file, a folder nor a link');
  const bytes = Buffer.from(judged.path, 'latin1');
  return { entry, path: typeof entry.name === 'string' ? bytes.toString('utf8') : bytes, key: judged.path, kind };
}

function checkSupported(entry: ZipEntry, links: ArchiveLimits['links']): void {
  if ((entry.flags & (zip.FLAG_ENCRYPTED | zip.FLAG_STRONG_ENCRYPTION | zip.FLAG_MASKED_HEADERS)) !== 0) throw unsafe(entry, 'is encrypted');
  // Frames are spoken by our own desktop alone.
  const framed = entry.method === METHOD_SPARSE && links === 'keep';
  if (entry.method !== zip.METHOD_STORED && entry.method !== zip.METHOD_DEFLATED && !framed) {
    throw new VesselError('ARCHIVE_CORRUPT', `${JSON.stringify(showPath(entry.name))} uses compression method ${entry.method}, which is not supported`);
  }
  if (entry.method === zip.METHOD_STORED && entry.size !== entry.compressedSize) throw new VesselError('ARCHIVE_CORRUPT', `${JSON.stringify(showPath(entry.name))} is stored and has two sizes`);
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
  const tree = new ArchiveTree();
  let bytes = 0;
  for (const entry of directory.entries) {
    const result = checkName(entry, limits.links);
    checkSupported(entry, limits.links);
    bytes += entry.size;
    if (bytes > limits.maxBytes) throw new VesselError('ARCHIVE_TOO_LARGE', `the archive unpacks to more than ${limits.maxBytes} bytes`, { details: { maxBytes: limits.maxBytes } });
    if (result === null) continue;
    if (result.kind === 'link' && entry.size > MAX_LINK_BYTES) throw unsafe(entry, 'is a link with too long a target');
    if (result.kind === 'dir' && entry.size > 0) throw unsafe(entry, 'is a folder with content');
    const placed = tree.add(result.key, result.kind === 'dir');
    if (placed === 'twice') throw unsafe(entry, 'comes twice');
    if (placed === 'below a file or a link') throw unsafe(entry, 'lies below a file or a link');
    // A folder that is named again says nothing new.
    if (placed === 'new') checked.push(result);
  }
  checkOverlaps(directory.entries, directory.start);
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
