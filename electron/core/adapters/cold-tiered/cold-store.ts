import { createReadStream, existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ColdStore } from '../../ports/cold-store.ts';
import type { RemoteArchives } from '../../ports/remote-store.ts';

/**
 * The cold store of this computer, which fetches what it lacks from the cloud that the project also rests in. Everything is
 * written here first and read from here afterwards; an archive comes down once, when it is first wanted.
 */
export function makeTieredColdStore(local: ColdStore, remoteOf: (projectId: string) => RemoteArchives | null, spool: string): ColdStore {
  const fetching = new Map<string, Promise<void>>();
  const fetch = async (projectId: string, sha256: string): Promise<void> => {
    const path = local.localPath(projectId, sha256);
    if (path === null || existsSync(path)) return;
    const remote = remoteOf(projectId);
    if (remote === null) return; // whoever asks is told NOT_FOUND
    const key = `${projectId}-${sha256}`;
    const work = fetching.get(key) ?? down(remote, projectId, sha256).finally(() => fetching.delete(key));
    fetching.set(key, work);
    await work;
  };
  const down = async (remote: RemoteArchives, projectId: string, sha256: string): Promise<void> => {
    await mkdir(spool, { recursive: true, mode: 0o700 });
    // The name stays the same over restarts, so that a part of it is continued.
    const file = join(spool, `${projectId}.${sha256}.zip`);
    await remote.download(projectId, sha256, file, {});
    await local.put(projectId, createReadStream(file), {});
    await rm(file, { force: true });
  };
  return {
    ...local,
    async readBack(projectId, sha256) { await fetch(projectId, sha256); return local.readBack(projectId, sha256); },
    async open(projectId, sha256) { await fetch(projectId, sha256); return local.open(projectId, sha256); },
  };
}
