import { stat } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';
import type { ColdStore } from '../../ports/cold-store.ts';
import type { SafeCopies } from '../../ports/safe-copies.ts';

/** For a cold store of local files: the archives are their own safe copies. */
export function localCopies(cold: ColdStore): SafeCopies {
  const pathOf = async (projectId: string, sha256: string): Promise<string | null> => {
    const path = cold.localPath(projectId, sha256);
    // Missing is what is asked here; anything else shows when the file is read.
    return path !== null && await stat(path).then((found) => found.isFile(), () => false) ? path : null;
  };
  return {
    whole: true,
    async borrow(projectId, sha256) {
      // A store that also rests in a cloud brings down what it lacks when it is opened; any other says that it is not there.
      if (await pathOf(projectId, sha256) === null) (await cold.open(projectId, sha256)).destroy();
      const path = await pathOf(projectId, sha256);
      if (path === null) throw new VesselError('NOT_FOUND', 'The archive is not in the store', { details: { projectId, sha256 } });
      return { path, release: () => undefined };
    },
    has: async (projectId, sha256) => await pathOf(projectId, sha256) !== null,
    spare: () => Promise.resolve(null),
    keep: () => Promise.resolve([]),
    evict: () => Promise.resolve(0),
    stats: () => Promise.resolve({ bytes: 0, archives: 0 }),
  };
}
