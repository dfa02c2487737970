import type { RemoteArchives, RemoteBackend } from '../../ports/remote-store.ts';
import { makeLeftovers } from '../remote/leftovers.ts';
import { listArchives } from './archives.ts';
import { makeSupabaseIndex, type Device } from './index-tables.ts';
import type { StorageApi } from './storage-api.ts';

/** Archives in Storage and rows in Postgres, under one session. */
export function makeSupabaseBackend(api: StorageApi, archives: RemoteArchives, device: Device): RemoteBackend {
  const index = makeSupabaseIndex(api.session, device);
  return { kind: 'supabase', archives, index, leftovers: makeLeftovers((signal) => listArchives(api, signal), index, archives) };
}
