import { VesselError } from '#shared/errors.ts';
import type { ColdStore } from '../../ports/cold-store.ts';

export type FakeRemote = {
  readonly cold: ColdStore;
  setOnline(online: boolean): void;
  /** How often an archive was opened. */
  opened(): number;
  /** Asked for the first archive, it sends the second. */
  swap(asked: string, sent: string): void;
  lose(projectId: string, sha256: string): Promise<void>;
};

/** A cold store that is not on this computer: the local one behind it, without paths, and with a network that can be cut. */
export function fakeRemote(behind: ColdStore): FakeRemote {
  let online = true;
  let opened = 0;
  const swapped = new Map<string, string>();
  const reach = <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) => (...args: A): Promise<R> => (online ? call(...args) : Promise.reject(new VesselError('STORE_FAILED', 'The network is off')));
  return {
    cold: {
      put: reach(behind.put), readBack: reach(behind.readBack), remove: reach(behind.remove), list: reach(behind.list), putManifest: reach(behind.putManifest),
      removeManifest: reach(behind.removeManifest), manifests: reach(behind.manifests), removeProject: reach(behind.removeProject),
      open: reach((projectId: string, sha256: string) => { opened += 1; return behind.open(projectId, swapped.get(sha256) ?? sha256); }),
      localPath: () => null,
    },
    setOnline: (next) => { online = next; },
    opened: () => opened,
    swap: (asked, sent) => { swapped.set(asked, sent); },
    lose: (projectId, sha256) => behind.remove(projectId, sha256),
  };
}
