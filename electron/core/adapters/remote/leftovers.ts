import type { Leftover, Leftovers, RemoteArchives, RemoteIndex } from '../../ports/remote-store.ts';

/** Projects whose rows are asked for at once. */
const PROJECTS_AT_ONCE = 100;

/** One object of the account; its age by the clock of the server, whatever this computer's says. */
export type LyingObject = Leftover & { readonly ageMs: number };

/** Milliseconds since `at` when an answer was sent; 0 (too young for anything) when the server tells no time. */
export function ageBy(answer: Response, at: string | undefined): number {
  const age = Date.parse(answer.headers.get('date') ?? '') - Date.parse(at ?? '');
  return Number.isNaN(age) ? 0 : age;
}

/** Compares what lies in a store with what its rows name: by project and hash, of which every object's name is made. */
export function makeLeftovers(objects: (signal: AbortSignal | undefined) => AsyncIterable<LyingObject>, index: Pick<RemoteIndex, 'archivesOf' | 'hasContent'>, archives: Pick<RemoteArchives, 'remove'>): Leftovers {
  return {
    async find(olderThanMs, signal) {
      const old = new Map<string, Leftover[]>();
      for await (const { ageMs, ...object } of objects(signal)) if (ageMs > olderThanMs) old.set(object.projectId, [...old.get(object.projectId) ?? [], object]);
      const ids = [...old.keys()];
      const found: Leftover[] = [];
      // The rows after the objects: what was recorded in between is named.
      for (let first = 0; first < ids.length; first += PROJECTS_AT_ONCE) {
        signal?.throwIfAborted();
        const some = ids.slice(first, first + PROJECTS_AT_ONCE);
        const rows = await index.archivesOf(some);
        for (const id of some) {
          const named = new Set(rows.get(id)?.map(({ sha256 }) => sha256));
          // Pages of rows may shift while they are read: each is asked for by itself before anything is said of it.
          for (const object of old.get(id) ?? []) if (!named.has(object.sha256) && !await index.hasContent(id, object.sha256)) found.push(object);
        }
      }
      return found;
    },
    async remove({ projectId, sha256 }) {
      if (await index.hasContent(projectId, sha256)) return false;
      await archives.remove(projectId, sha256);
      return true;
    },
  };
}
