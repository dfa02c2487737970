import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { App, InMemoryEmailDriver } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';
import { applyMigrations, preparePlatform, startCluster, type Cluster } from './cluster.ts';
import { Faults } from './faults.ts';
import { makeStorageDouble } from './storage-double.ts';

/** A whole Supabase project on this machine: real PostgreSQL, `@supabase/lite` for auth and REST, our double for Storage. */
export type Stack = {
  readonly url: string;
  readonly publishableKey: string;
  readonly cluster: Cluster;
  /** Where Storage keeps its files: objects, and uploads under way. */
  readonly folder: string;
  readonly faults: Faults;
  /** May be changed while it runs. */
  readonly limits: { maxFileBytes: number | null };
  /** Milliseconds that the server's Storage clock is ahead of ours. */
  readonly skew: { ms: number };
  /** Tokens that Storage takes for expired. */
  readonly revoked: Set<string>;
  /** The newest e-mail to an address, its text. */
  mailTo(address: string): string | null;
  /** The file of an object, for tests that damage it. */
  objectFile(name: string): Promise<string>;
  stop(): Promise<void>;
};

/** Longer than this no connection takes to close that will. */
const CLOSE_MS = 2_000;
const SECRET = 'the-secret-of-a-double-that-nobody-else-uses';
const KEY = 'sb_publishable_double';

/** Starts everything; about two seconds. */
export async function startStack(options: { readonly tokenSeconds?: number } = {}): Promise<Stack> {
  process.env['LITE_TELEMETRY'] = '0';
  const cluster = await startCluster();
  const folder = await mkdtemp(join(tmpdir(), 'vsl-cloud-'));
  await chmod(folder, 0o700);
  const mail = new InMemoryEmailDriver();
  const makeApp = (): App => new App({
    connection: createPostgresConnection({ url: 'postgresql://postgres@localhost/postgres', postgresOptions: { host: cluster.socket, username: 'postgres', database: 'postgres', max: 10, onnotice: () => undefined } }),
    auth: { enabled: true, jwt_secret: SECRET, jwt_expiry: options.tokenSeconds ?? 3600, publishable_key: KEY, site_url: 'http://localhost:3000' },
    options: { drivers: { email: mail } },
  } as never);
  // The auth tables exist before the migrations name them; the app that serves is made after, because it reads the schema once.
  const first = makeApp();
  await first.init();
  await first.ensureSystemSchema();
  await first.connection.close();
  await preparePlatform(cluster);
  await applyMigrations(cluster);
  const app = makeApp();
  await app.fetch(new Request('http://127.0.0.1/rest/v1/projects?limit=1', { headers: { apikey: KEY } }), { peerAddress: null });
  // Its first request grants everything to everybody again.
  await applyMigrations(cluster, /grants/);

  const limits = { maxFileBytes: null as number | null };
  const skew = { ms: 0 };
  const revoked = new Set<string>();
  const storage = makeStorageDouble({ pool: cluster.pool, folder, secret: SECRET, now: () => Date.now() + skew.ms, limits, revoked });
  const faults = new Faults();
  const server = createServer((request, response) => {
    if (faults.meet(request, response)) return;
    const work = (request.url ?? '').startsWith('/storage/v1/') ? storage(request, response) : passOn(app, request, response);
    work.catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, publishableKey: KEY, cluster, folder, faults, limits, skew, revoked,
    mailTo: (address) => mail.messages.get(address)?.at(-1)?.text ?? null,
    async objectFile(name) {
      const path = join(folder, 'objects', 'user-projects', ...name.split('/'));
      const [version] = await readdir(path);
      if (version === undefined) throw new Error(`no object ${name}`);
      return join(path, version);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      // A request that was cut may hold its connection; the cluster ends it.
      await Promise.race([app.connection.close(), new Promise((resolve) => { setTimeout(resolve, CLOSE_MS); })]);
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Hands a request to the app, which speaks the Web's Request and Response. */
async function passOn(app: App, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = request.method === 'GET' || request.method === 'HEAD' ? undefined : Buffer.concat(chunks);
  const answer = await quietly(() => app.fetch(new Request(`http://127.0.0.1${request.url ?? '/'}`, { method: request.method ?? 'GET', headers: request.headers as Record<string, string>, ...(body === undefined ? {} : { body }) }), { peerAddress: null }));
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body === null) response.end();
  else await pipeline(Readable.fromWeb(answer.body as ReadableStream), response);
}

/** The app prints every refusal with its stack; tests provoke them by the hundred. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const { error } = console;
  console.error = () => undefined;
  try { return await work(); } finally { console.error = error; }
}

/** Overwrites an object behind the API's back. */
export async function overwriteObject(stack: Stack, name: string, content: Uint8Array | string): Promise<void> {
  await writeFile(await stack.objectFile(name), content);
}
