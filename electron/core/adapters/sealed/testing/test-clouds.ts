import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device } from '../../../ports/cloud.ts';
import type { RemoteBackend } from '../../../ports/remote-store.ts';
import { makeS3Archives } from '../../cold-s3/archives.ts';
import { S3Client } from '../../cold-s3/client.ts';
import { makeS3Index } from '../../cold-s3/index-objects.ts';
import { startS3Double } from '../../cold-s3/testing/s3-double.ts';
import type { Faults } from '../../cold-supabase/testing/faults.ts';
import { makeSupabaseIndex } from '../../cold-supabase/index-tables.ts';
import { memoryJournal, signedIn } from '../../cold-supabase/testing/signed-in.ts';
import { startStack } from '../../cold-supabase/testing/stack.ts';

/** One account of a cloud, as its devices and as its server see it. */
export type TestAccount = {
  /** What a device of the account reaches, without encryption. */
  device(device: Device): Promise<RemoteBackend>;
  /** Everything that the server holds of anybody: objects, rows, uploads under way. */
  held(): Promise<Buffer>;
  /** Replaces the bytes of an object behind the API's back. */
  damage(projectId: string, name: string, content: Buffer): Promise<void>;
};
export type TestCloud = { readonly kind: RemoteBackend['kind']; readonly faults: Faults; account(): Promise<TestAccount>; stop(): Promise<void> };

/** PostgreSQL, `@supabase/lite` and the Storage double. */
export async function supabaseCloud(): Promise<TestCloud> {
  const stack = await startStack();
  const users: { dispose(): Promise<void> }[] = [];
  return {
    kind: 'supabase', faults: stack.faults,
    async account() {
      const first = await signedIn(stack);
      users.push(first);
      const nameOf = (projectId: string, name: string): string => `${first.user.userId}/project-${projectId}.${name}.zip`;
      return {
        async device(device) {
          const user = await signedIn(stack, first.user.email);
          users.push(user);
          return { kind: 'supabase', archives: user.archives, index: makeSupabaseIndex(user.session, device) };
        },
        async held() {
          const parts: Buffer[] = [];
          for (const table of ['public.projects', 'public.archives', 'public.sessions', 'public.encryption', 'storage.objects']) parts.push(Buffer.from(JSON.stringify((await stack.cluster.pool.query(`select * from ${table}`)).rows)));
          for (const entry of await readdir(stack.folder, { recursive: true, withFileTypes: true })) if (entry.isFile()) parts.push(await readFile(join(entry.parentPath, entry.name)));
          return Buffer.concat(parts);
        },
        async damage(projectId, name, content) { await writeFile(await stack.objectFile(nameOf(projectId, name)), content); },
      };
    },
    async stop() { for (const user of users) await user.dispose(); await stack.stop(); },
  };
}

/** A bucket of the S3 double. */
export async function s3Cloud(): Promise<TestCloud> {
  const s3 = await startS3Double();
  const folder = await mkdtemp(join(tmpdir(), 'vessel-sealed-s3-'));
  return {
    kind: 's3', faults: s3.faults,
    account: async () => {
      const prefix = `${crypto.randomUUID()}/`;
      return {
        device: async (device) => {
          const client = new S3Client({ ...s3, prefix });
          return { kind: 's3', archives: makeS3Archives({ client, journal: memoryJournal(), spool: await mkdtemp(join(folder, 'up-')), retries: { delaysMs: [1, 2, 4] } }), index: makeS3Index(client, device) };
        },
        held: async () => Buffer.concat([...s3.objects].flatMap(([name, content]) => [Buffer.from(name), content])),
        damage: async (projectId, name, content) => { s3.objects.set(`${prefix}projects/${projectId}/${name}.zip`, content); },
      };
    },
    async stop() { await s3.stop(); await rm(folder, { recursive: true, force: true }); },
  };
}
