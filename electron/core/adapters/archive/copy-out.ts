import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { MAX_LINK_BYTES } from '#shared/archive-names.ts';
import { VesselError } from '#shared/errors.ts';
import type { IndexedEntry, OpenArchive } from '../../ports/archive-reader.ts';
import { isErrno, storeError } from '../cold-local/files.ts';
import { checkLink, NameGuard } from './name-guard.ts';

/**
 * See ArchiveReader.copyOut. The folder is new and links come last, so no write can follow a link out of it; set-id bits are
 * dropped, because what was harmless inside a microVM would not be here.
 */
export async function copyOut(archive: OpenArchive, paths: readonly string[], to: string, signal: AbortSignal): Promise<{ readonly files: number; readonly bytes: number }> {
  if (!isAbsolute(to)) throw new VesselError('BAD_REQUEST', 'The folder must be an absolute path', { details: { to } });
  const chosen = select(archive, paths);
  const isNew = await claim(to);
  let files = 0;
  let bytes = 0;
  try {
    for (const entry of chosen) {
      const path = join(to, entry.path);
      if (entry.kind === 'folder') { await mkdir(path, { recursive: true, mode: (entry.mode & 0o777) | 0o700 }); continue; }
      if (entry.kind === 'link') continue;
      await mkdir(dirname(path), { recursive: true });
      await pipeline(archive.stream(entry.path, { signal }), createWriteStream(path, { flags: 'wx', mode: entry.mode & 0o777 }), { signal });
      files += 1;
      bytes += entry.size;
    }
    for (const entry of chosen.filter(({ kind }) => kind === 'link')) {
      const target = await archive.read(entry.path, { maxBytes: MAX_LINK_BYTES, signal });
      checkLink(Buffer.from(entry.path), target);
      await mkdir(dirname(join(to, entry.path)), { recursive: true });
      await symlink(target, join(to, entry.path));
    }
    return { files, bytes };
  } catch (error) {
    // Only what this call made: an empty folder that was there stays.
    if (isNew) await rm(to, { recursive: true, force: true });
    else for (const name of await readdir(to)) await rm(join(to, name), { recursive: true, force: true });
    throw storeError(error);
  }
}

function select(archive: OpenArchive, paths: readonly string[]): readonly IndexedEntry[] {
  const found = new Map<string, IndexedEntry>();
  for (const path of paths.length === 0 ? [''] : paths) for (const entry of archive.below(path)) found.set(entry.path, entry);
  const guard = new NameGuard('own');
  for (const { path, kind } of found.values()) guard.check(Buffer.from(kind === 'folder' ? `${path}/` : path));
  return [...found.values()];
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
