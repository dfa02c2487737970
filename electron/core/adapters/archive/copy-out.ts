import { createWriteStream } from 'node:fs';
import { mkdir, readdir, realpath, rm, symlink, unlink } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { linkEnds } from '#shared/archive-links.ts';
import { isPathElsewhere, MAX_LINK_BYTES } from '#shared/archive-names.ts';
import type { LeftOut } from '#shared/archive-rules.ts';
import { VesselError } from '#shared/errors.ts';
import type { IndexedEntry, OpenArchive } from '../../ports/archive-reader.ts';
import { isErrno, storeError } from '../cold-local/files.ts';
import { displayName, NameGuard } from './name-guard.ts';

type Named = { readonly entry: IndexedEntry; readonly name: Buffer };
type Link = Named & { readonly target: Buffer };

/**
 * See ArchiveReader.copyOut. The folder is new and links come last, so no write can follow a link out of it. A link that leads out is
 * not made at all: what is harmless inside a microVM would be a door here. Set-id bits are dropped for the same reason.
 */
export async function copyOut(archive: OpenArchive, paths: readonly string[], to: string, signal: AbortSignal): Promise<{ readonly files: number; readonly bytes: number; readonly leftOut: readonly LeftOut[] }> {
  if (!isAbsolute(to)) throw new VesselError('BAD_REQUEST', 'The folder must be an absolute path', { details: { to } });
  const leftOut: LeftOut[] = [];
  const chosen = select(archive, paths).filter(({ entry, name }) => {
    if (!isPathElsewhere(name.toString('latin1'))) return true;
    leftOut.push({ path: entry.path, reason: 'its name is a path on other systems' });
    return false;
  });
  const isNew = await claim(to);
  const root = Buffer.from(`${to}/`);
  const placeOf = (name: Buffer): Buffer => Buffer.concat([root, name]);
  const makeParent = async (name: Buffer): Promise<void> => { await mkdir(placeOf(name.subarray(0, Math.max(0, name.lastIndexOf(0x2f)))), { recursive: true }); };
  let files = 0;
  let bytes = 0;
  try {
    for (const { entry, name } of chosen) {
      if (entry.kind === 'folder') { await mkdir(placeOf(name), { recursive: true, mode: (entry.mode & 0o777) | 0o700 }); continue; }
      await makeParent(name);
      if (entry.kind === 'link') continue;
      await pipeline(archive.stream(entry.path, { signal }), createWriteStream(placeOf(name), { flags: 'wx', mode: entry.mode & 0o777 }), { signal });
      files += 1;
      bytes += entry.size;
    }
    const links = await judgeLinks(archive, chosen, leftOut, signal);
    for (const { name, target } of links) await symlink(target, placeOf(name));
    await removeEscaped(links, to, placeOf, leftOut);
    return { files, bytes, leftOut };
  } catch (error) {
    // Only what this call made: an empty folder that was there stays.
    if (isNew) await rm(to, { recursive: true, force: true });
    else for (const name of await readdir(to, { encoding: 'buffer' })) await rm(placeOf(name), { recursive: true, force: true });
    throw storeError(error);
  }
}

/** The chosen links that stay inside, as the kernel would follow them through all links of the archive. */
async function judgeLinks(archive: OpenArchive, chosen: readonly Named[], leftOut: LeftOut[], signal: AbortSignal): Promise<readonly Link[]> {
  const wanted = chosen.filter(({ entry }) => entry.kind === 'link');
  if (wanted.length === 0) return [];
  const targets = new Map<string, Buffer>();
  for (const entry of archive.entries) {
    if (entry.kind === 'link') targets.set(nameOf(archive, entry).toString('latin1'), await archive.read(entry.path, { maxBytes: MAX_LINK_BYTES, signal }));
  }
  const ends = linkEnds(new Map([...targets].map(([name, target]) => [name, target.toString('latin1')])));
  const links: Link[] = [];
  for (const { entry, name } of wanted) {
    const key = name.toString('latin1');
    const target = targets.get(key) ?? Buffer.alloc(0);
    const end = ends.get(key);
    const shown = displayName(target);
    if (end === 'inside' && !isPathElsewhere(target.toString('latin1'))) links.push({ entry, name, target });
    else leftOut.push({ path: entry.path, reason: end === 'endless' ? `a link in a circle, to ${shown}` : end === 'inside' ? `a link to ${shown}, a path on other systems` : `a link that leads out of the folder, to ${shown}` });
  }
  return links;
}

/** The last word has the file system itself: one that takes `A` and `a` for the same follows links that no reading of names can foresee. */
async function removeEscaped(links: readonly Link[], to: string, placeOf: (name: Buffer) => Buffer, leftOut: LeftOut[]): Promise<void> {
  if (links.length === 0) return;
  const root = await realpath(to, { encoding: 'buffer' });
  const inside = Buffer.concat([root, Buffer.from('/')]);
  for (const { entry, name, target } of links) {
    const end = await realpath(placeOf(name), { encoding: 'buffer' }).catch((error: unknown) => {
      // It dangles, as it may.
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return root;
      if (isErrno(error, 'ELOOP')) return null;
      throw error;
    });
    if (end !== null && (end.equals(root) || end.subarray(0, inside.length).equals(inside))) continue;
    await unlink(placeOf(name));
    leftOut.push({ path: entry.path, reason: `a link that leads out of the folder, to ${displayName(target)}` });
  }
}

function nameOf(archive: OpenArchive, { path }: IndexedEntry): Buffer {
  const { name } = archive.nameOf(path);
  return name.at(-1) === 0x2f ? name.subarray(0, -1) : name;
}

function select(archive: OpenArchive, paths: readonly string[]): readonly Named[] {
  const found = new Map<string, IndexedEntry>();
  for (const path of paths.length === 0 ? [''] : paths) for (const entry of archive.below(path)) found.set(entry.path, entry);
  const guard = new NameGuard('own');
  return [...found.values()].map((entry) => {
    const name = nameOf(archive, entry);
    guard.check(entry.kind === 'folder' ? Buffer.concat([name, Buffer.from('/')]) : name);
    return { entry, name };
  });
}

/** Makes the folder, or takes an empty one. Answers whether it is new. */
async function claim(to: string): Promise<boolean> {
  try {
    await mkdir(dirname(to), { recursive: true });
    await mkdir(to);
    return true;
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw storeError(error);
  }
  const names = await readdir(to).catch((error: unknown) => { throw new VesselError('CONFLICT', `${to} exists and is no folder`, { cause: error, retryable: false, hint: 'Name a folder that does not exist yet.' }); });
  if (names.length > 0) throw new VesselError('CONFLICT', `${to} is not empty`, { retryable: false, hint: 'Name a folder that does not exist yet, or an empty one.', details: { to } });
  return false;
}
