import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { ColdStore } from '../../ports/cold-store.ts';
import type { CopiesPolicy, SafeCopies } from '../../ports/safe-copies.ts';
import { isErrno, storeError, syncFolder } from '../cold-local/files.ts';
import { hashFile, writeHashed } from '../cold-local/write-hashed.ts';

const NAME = /^([0-9a-f]{64})\.zip$/;
const PART = '.part-';

type Copy = { readonly projectId: string; readonly sha256: string; readonly path: string; readonly bytes: number; readonly usedAt: number };
export type CachedCopiesOptions = { readonly cold: ColdStore; readonly root: string; readonly policy: () => CopiesPolicy; readonly now: () => number };

/**
 * Copies of a remote store's archives: `<root>/<project-id>/<sha256>.zip`. The time of the last use is the file's own, so a
 * crash forgets nothing. A copy gets its name only when its hash is right; one fetch serves all who ask meanwhile.
 */
export async function openCachedCopies({ cold, root, policy, now }: CachedCopiesOptions): Promise<SafeCopies> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const fetching = new Map<string, Promise<void>>();
  const inUse = new Map<string, number>();
  const pathOf = (projectId: string, sha256: string): string => {
    if (!/^[0-9a-f]{64}$/.test(sha256) || /[/\\]|^\.+$/.test(projectId)) throw new VesselError('BAD_REQUEST', 'Not the address of an archive');
    return join(root, projectId, `${sha256}.zip`);
  };
  const exists = (path: string): Promise<boolean> => stat(path).then((found) => found.isFile(), (error: unknown) => {
    if (isErrno(error, 'ENOENT')) return false;
    throw storeError(error);
  });
  const touch = async (path: string): Promise<void> => { await utimes(path, now() / 1000, now() / 1000); };

  const fetch = async (projectId: string, sha256: string, signal: AbortSignal): Promise<void> => {
    const path = pathOf(projectId, sha256);
    const part = join(root, projectId, `${PART}${crypto.randomUUID()}`);
    await mkdir(join(root, projectId), { recursive: true, mode: 0o700 });
    try {
      const content = await cold.open(projectId, sha256);
      try {
        const written = await writeHashed(part, content, signal);
        if (written.sha256 !== sha256) throw new VesselError('ARCHIVE_CORRUPT', 'The store sent another archive than the one that was verified', { details: { expected: sha256, found: written.sha256 } });
      } finally {
        content.destroy();
      }
      await rename(part, path);
      await syncFolder(join(root, projectId));
      await touch(path);
    } catch (error) {
      await rm(part, { force: true });
      throw storeError(error);
    }
  };
  const ensure = async (projectId: string, sha256: string, signal: AbortSignal): Promise<string> => {
    const path = pathOf(projectId, sha256);
    if (await exists(path)) return path;
    // Whoever joins a fetch shares its fate; a cancel of the first one must not fail the second, so that one asks again.
    for (let known = fetching.get(path); known !== undefined; known = fetching.get(path)) {
      await known.catch(() => undefined);
      if (signal.aborted) throw new VesselError('CANCELLED');
      if (await exists(path)) return path;
    }
    const work = fetch(projectId, sha256, signal).finally(() => fetching.delete(path));
    fetching.set(path, work);
    await work;
    return path;
  };

  const copies = async (): Promise<readonly Copy[]> => {
    const found: Copy[] = [];
    for (const folder of await readdir(root, { withFileTypes: true })) {
      if (!folder.isDirectory()) continue;
      for (const name of await readdir(join(root, folder.name))) {
        const sha256 = NAME.exec(name)?.[1];
        if (sha256 === undefined) continue;
        const path = join(root, folder.name, name);
        const { size, mtimeMs } = await stat(path);
        found.push({ projectId: folder.name, sha256, path, bytes: size, usedAt: mtimeMs });
      }
    }
    return found.sort((a, b) => a.usedAt - b.usedAt);
  };
  const evict = async (): Promise<number> => {
    const { budgetBytes, kept } = policy();
    const all = await copies();
    let bytes = all.reduce((sum, copy) => sum + copy.bytes, 0);
    let gone = 0;
    for (const copy of all) {
      if (bytes <= budgetBytes) break;
      if (kept.has(copy.projectId) || inUse.has(copy.path)) continue;
      await rm(copy.path, { force: true });
      bytes -= copy.bytes;
      gone += 1;
    }
    return gone;
  };
  for (const folder of await readdir(root, { withFileTypes: true })) {
    if (!folder.isDirectory()) continue;
    for (const name of await readdir(join(root, folder.name))) if (name.startsWith(PART)) await rm(join(root, folder.name, name), { force: true });
  }

  return {
    whole: false,
    async borrow(projectId, sha256, signal) {
      const path = pathOf(projectId, sha256);
      // Counted before it is fetched: nothing evicts it in between.
      inUse.set(path, (inUse.get(path) ?? 0) + 1);
      let held = true;
      const release = (): void => {
        if (!held) return;
        held = false;
        const left = (inUse.get(path) ?? 1) - 1;
        if (left === 0) inUse.delete(path);
        else inUse.set(path, left);
      };
      try {
        await ensure(projectId, sha256, signal);
        await touch(path);
        await evict();
        return { path, release };
      } catch (error) {
        release();
        throw error;
      }
    },
    has: (projectId, sha256) => exists(pathOf(projectId, sha256)),
    async spare(projectId, sha256) {
      const path = pathOf(projectId, sha256);
      if (!await exists(path)) return null;
      if ((await hashFile(path)).sha256 === sha256) return path;
      // A damaged copy is worse than none: the next use would believe it.
      await rm(path, { force: true });
      return null;
    },
    async keep(wanted, signal) {
      const { budgetBytes, kept } = policy();
      const failed: string[] = [];
      let left = budgetBytes;
      for (const { projectId, sha256, bytes } of wanted) {
        if (signal.aborted) throw new VesselError('CANCELLED');
        if (bytes > left && !kept.has(projectId)) continue;
        left -= bytes;
        try {
          await touch(await ensure(projectId, sha256, signal));
        } catch (error) {
          if (VesselError.from(error).code === 'CANCELLED') throw error;
          failed.push(projectId);
        }
      }
      await evict();
      return failed;
    },
    evict,
    stats: async () => { const all = await copies(); return { bytes: all.reduce((sum, copy) => sum + copy.bytes, 0), archives: all.length }; },
  };
}
