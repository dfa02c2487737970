import { execFile } from 'node:child_process';
import { chown, chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);
/** The folder of the migrations. */
export const MIGRATIONS = fileURLToPath(new URL('../../../../../supabase/migrations/', import.meta.url));
const PLATFORM = fileURLToPath(new URL('platform.sql', import.meta.url));
const DEBIAN_PROGRAMS = '/usr/lib/postgresql';

/** A PostgreSQL server of our own: a fresh cluster in a temporary folder, on a Unix socket only, run by a user without rights. */
export type Cluster = {
  /** The folder of the socket, as `host` of a connection. */
  readonly socket: string;
  readonly pool: pg.Pool;
  /** A connection string of the superuser, for programs. */
  readonly url: string;
  stop(): Promise<void>;
};

/** The newest PostgreSQL of this machine; null where there is none. */
export async function postgresPrograms(): Promise<string | null> {
  const versions = await readdir(DEBIAN_PROGRAMS).catch((error: NodeJS.ErrnoException) => { if (error.code === 'ENOENT') return []; throw error; });
  const newest = versions.map(Number).filter((version) => version >= 15).sort((a, b) => b - a)[0];
  return newest === undefined ? null : join(DEBIAN_PROGRAMS, String(newest), 'bin');
}

/** Starts a cluster. As root the server runs as the user `postgres`, because it refuses root. Throws when PostgreSQL is missing. */
export async function startCluster(): Promise<Cluster> {
  const programs = await postgresPrograms();
  if (programs === null) throw new Error('PostgreSQL 15 or newer is not installed');
  const folder = await mkdtemp(join(tmpdir(), 'vsl-pg-'));
  const identity = process.getuid?.() === 0 ? await userIds('postgres') : null;
  if (identity !== null) await chown(folder, identity.uid, identity.gid);
  await chmod(folder, 0o755);
  const data = join(folder, 'data');
  const options = { ...(identity ?? {}), cwd: folder, env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC' } };
  try {
    await run(join(programs, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--no-instructions'], options);
    // Durability is not what is tested here; speed is what lets these tests run each time.
    await writeFile(join(data, 'postgresql.auto.conf'), `listen_addresses = ''\nunix_socket_directories = '${folder}'\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 60\nshared_buffers = 32MB\n`);
    await run(join(programs, 'pg_ctl'), ['-D', data, '-w', '-l', join(folder, 'log'), 'start'], options);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const pool = new pg.Pool({ host: folder, user: 'postgres', database: 'postgres', max: 10 });
  pool.on('error', () => undefined); // an idle connection that the server's end closes
  return {
    socket: folder, pool, url: `postgresql://postgres@localhost/postgres?host=${encodeURIComponent(folder)}`,
    async stop() {
      await pool.end();
      await run(join(programs, 'pg_ctl'), ['-D', data, '-m', 'immediate', '-w', 'stop'], options);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The schemas, roles and functions that a hosted project brings along, as far as the migrations use them. */
export async function preparePlatform({ pool }: Cluster): Promise<void> {
  await pool.query(await readFile(PLATFORM, 'utf8'));
}

/** The files of `supabase/migrations` in the order in which the Supabase CLI applies them, or only those that match. */
export async function applyMigrations({ pool }: Cluster, only: RegExp = /./): Promise<void> {
  for (const name of (await readdir(MIGRATIONS)).filter((file) => file.endsWith('.sql') && only.test(file)).sort()) {
    await pool.query(`begin;\n${await readFile(join(MIGRATIONS, name), 'utf8')}\ncommit;`);
  }
}

/** Runs statements as a signed-in user would: the role and the claims that PostgREST sets, in a transaction that ends with them. */
export async function asUser<T>(pool: pg.Pool, userId: string | null, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const claims = userId === null ? { role: 'anon' } : { role: 'authenticated', sub: userId };
    await client.query(`select set_config('request.jwt.claims', $1, true), set_config('request.jwt.claim.sub', $2, true), set_config('request.jwt.claim.role', $3, true)`, [JSON.stringify(claims), userId ?? '', claims.role]);
    await client.query(`set local role ${claims.role}`);
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

async function userIds(name: string): Promise<{ readonly uid: number; readonly gid: number }> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((entry) => entry.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`there is no user ${name}`);
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
