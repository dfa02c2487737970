import { hostname } from 'node:os';
import { join } from 'node:path';
import type { CloudConnector } from '../../ports/cloud.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import { makeS3Backend } from '../cold-s3/backend.ts';
import { makeSupabaseArchives } from '../cold-supabase/archives.ts';
import { makeSupabaseBackend } from '../cold-supabase/backend.ts';
import { SupabaseSession } from '../cold-supabase/session.ts';
import { StorageApi } from '../cold-supabase/storage-api.ts';
import { makeKeyRing } from '../sealed/key-ring.ts';
import { makeSealedBackend } from '../sealed/sealed-backend.ts';

/** The clouds as this process reaches them; sessions and keys rest in `secrets`. */
export function makeCloudConnector({ home, secrets }: { readonly home: string; readonly secrets: SecretStore }): CloudConnector {
  const spool = join(home, 'cloud', 'up');
  const ring = makeKeyRing(secrets);
  return {
    // Names of computers are shown to people; some carry their whole domain.
    deviceName: hostname().split('.')[0]?.slice(0, 60) || 'this computer',
    secrets,
    keys: ring,
    sealed: (backend, names, pins) => makeSealedBackend(backend, { ring, names, pins, spool }),
    supabase(settings, device, journal) {
      const session = new SupabaseSession(settings, secrets, () => Date.now());
      const api = new StorageApi(session);
      return { account: session, backend: makeSupabaseBackend(api, makeSupabaseArchives({ api, journal, spool }), device) };
    },
    s3: (settings, secretAccessKey, device, journal) => makeS3Backend({ ...settings, secretAccessKey }, device, journal, spool),
  };
}
