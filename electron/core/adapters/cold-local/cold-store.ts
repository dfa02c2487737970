import { mkdir, open, readdir, rm, stat, unlink, link } from 'node:fs/promises';
import { join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { ColdStore, StoredArchive } from '../../ports/cold-store.ts';
import { isErrno, storeError, syncFolder } from './files.ts';
import { makeManifests } from './manifests.ts';
import { hashFile, writeHashed } from './write-hashed.ts';

const ARCHIVE = /^([0-9a-f]{64})\.zip$/;
/** Temporary names of unfinished puts; anything so named at start is a crash's leftover. */
const TEMPORARY = /^\.(?:put|manifest)-/;

/** Archives in a plain folder: `<root>/<project-id>/<sha256>.zip`, with `<rev>.json` beside them. */
export async function openLocalColdStore(root: string): Promise<ColdStore> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  await sweep(root);
  const folderOf = (projectId: string): string => join(root, projectId);
  const pathOf = (projectId: string, sha256: string): string => {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new VesselError('BAD_REQUEST', 'Not a SHA-256');
    return join(folderOf(projectId), `${sha256}.zip`);
  };

  return {
    async put(projectId, content, { signal }) {
      const folder = folderOf(projectId);
      const temporary = join(folder, `.put-${process.pid}-${crypto.randomUUID()}`);
      // A source that never sends another byte must not outlive the cancel.
      if (signal !== undefined) addAbortSignal(signal, content);
      // Until the reading begins nothing listens; the reader gets the same error then.
      content.on('error', () => undefined);
      try {
        await ensureFolder(root, folder);
        const written = await writeHashed(temporary, content, signal);
        const path = pathOf(projectId, written.sha256);
        try {
          await link(temporary, path);
        } catch (error) {
          if (!isErrno(error, 'EEXIST')) throw error;
          await replaceIfDamaged(temporary, path, written);
        }
        await rm(temporary, { force: true });
        await syncFolder(folder);
        return { key: `${projectId}/${written.sha256}.zip`, ...written };
      } catch (error) {
        await rm(temporary, { force: true });
        throw storeError(error);
      } finally {
        content.destroy();
      }
    },

    async readBack(projectId, sha256) {
      try {
        return await hashFile(pathOf(projectId, sha256));
      } catch (error) {
        throw new VesselError('ARCHIVE_CORRUPT', 'The archive cannot be read back', { cause: error, details: { projectId, sha256 } });
      }
    },

    async open(projectId, sha256) {
      const path = pathOf(projectId, sha256);
      try {
        return (await open(path, 'r')).createReadStream({ highWaterMark: 256 * 1024 });
      } catch (error) {
        if (isErrno(error, 'ENOENT')) throw new VesselError('NOT_FOUND', 'The archive is not in the store', { cause: error, details: { projectId, sha256 } });
        throw storeError(error);
      }
    },

    localPath: (projectId, sha256) => pathOf(projectId, sha256),

    async remove(projectId, sha256) {
      try {
        await unlink(pathOf(projectId, sha256));
        await syncFolder(folderOf(projectId));
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw storeError(error);
      }
    },

    async list(projectId) {
      const archives: StoredArchive[] = [];
      for (const name of await namesIn(folderOf(projectId))) {
        const sha256 = ARCHIVE.exec(name)?.[1];
        if (sha256 !== undefined) archives.push({ key: `${projectId}/${name}`, sha256, bytes: (await stat(pathOf(projectId, sha256))).size });
      }
      return archives;
    },

    ...makeManifests(root),

    async removeProject(projectId) {
      await rm(folderOf(projectId), { recursive: true, force: true });
      await syncFolder(root);
    },
  };
}

/** Equal name means equal content, unless the medium lost it: then the fresh copy takes its place. */
async function replaceIfDamaged(temporary: string, path: string, fresh: { readonly sha256: string; readonly bytes: number }): Promise<void> {
  const there = await hashFile(path).catch((error: unknown) => {
    if (isErrno(error, 'EIO') || isErrno(error, 'ENOENT')) return null;
    throw error;
  });
  if (there?.sha256 === fresh.sha256) return;
  await rm(path, { force: true });
  await link(temporary, path);
}

async function ensureFolder(root: string, folder: string): Promise<void> {
  if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(root);
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw storeError(error);
  }
}

/** Removes what crashed puts left. */
async function sweep(root: string): Promise<void> {
  for (const project of await readdir(root, { withFileTypes: true })) {
    if (!project.isDirectory()) continue;
    for (const name of await readdir(join(root, project.name))) {
      if (TEMPORARY.test(name)) await rm(join(root, project.name, name), { force: true });
    }
  }
}

