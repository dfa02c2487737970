import type { SealedNames } from '../../ports/encryption.ts';
import type { SyncStore } from '../../ports/sync-store.ts';

/** Names of encrypted objects among the facts of the sync: one fact for each project, a map from plain hash and key to the ciphertext's hash. */
export function makeSealedNames(facts: SyncStore['facts']): SealedNames {
  const factOf = (projectId: string): string => `sealed:${projectId}`;
  const of = (projectId: string): Readonly<Record<string, string>> => JSON.parse(facts.get(factOf(projectId)) ?? '{}') as Record<string, string>;
  return {
    of,
    put(projectId, place, sealedSha256) {
      const { [place]: _before, ...others } = of(projectId);
      facts.put(factOf(projectId), JSON.stringify(sealedSha256 === null ? others : { ...others, [place]: sealedSha256 }));
    },
    clear: (projectId) => facts.put(factOf(projectId), null),
  };
}
