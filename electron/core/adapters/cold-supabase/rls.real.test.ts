import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { applyMigrations, asUser, MIGRATIONS, postgresPrograms, preparePlatform, startCluster, type Cluster } from './testing/cluster.ts';
import { generateTypes, pushMigrations, TYPES_FILE } from './testing/generate-types.ts';

const SHA = 'a'.repeat(64);
let cluster: Cluster;
let ada: string;
let bob: string;
const path = (user: string, project: string, sha = SHA): string => `${user}/project-${project}.${sha}.zip`;

const as = (user: string | null, sql: string, values: unknown[] = []): Promise<readonly Record<string, unknown>[]> => asUser(cluster.pool, user, async (client) => (await client.query<Record<string, unknown>>(sql, values)).rows);
const changed = (user: string | null, sql: string, values: unknown[] = []): Promise<number> => asUser(cluster.pool, user, async (client) => (await client.query(sql, values)).rowCount ?? 0);
const root = (sql: string, values: unknown[] = []): Promise<readonly Record<string, unknown>[]> => cluster.pool.query<Record<string, unknown>>(sql, values).then(({ rows }) => rows);
const refused = (code: string): unknown => expect.objectContaining({ code });
const DENIED = '42501';

const archive = (user: string, project: string, id = randomUUID(), over: { readonly path?: string; readonly branch?: string } = {}): Promise<string> => as(user, `insert into archives (id, project_id, device, path, sha256, bytes, files, content_bytes, reason, saved_at, branch) values ($1, $2, 'laptop', $3, $4, 10, 1, 10, 'save', now(), $5)`, [id, project, over.path ?? path(user, project), SHA, over.branch ?? null]).then(() => id);
const object = (user: string, name: string, as_ = user): Promise<number> => changed(as_, `insert into storage.objects (bucket_id, name, owner_id, metadata) values ('user-projects', $1, $2, '{"size": 1}')`, [name, as_]);

beforeAll(async () => {
  if (await postgresPrograms() === null) throw new Error('PostgreSQL is missing: install the packages of build/debian-packages.txt');
  cluster = await startCluster();
  await preparePlatform(cluster);
  await applyMigrations(cluster);
});
afterAll(() => cluster.stop());
beforeEach(async () => {
  await root('delete from auth.users');
  [ada, bob] = [randomUUID(), randomUUID()];
  await root('insert into auth.users (id) values ($1), ($2)', [ada, bob]);
  await as(ada, `insert into projects (id, name) values ('shop', 'Shop')`);
});

describe('rows of another user', () => {
  it('are not seen', async () => { expect(await as(bob, 'select * from projects')).toEqual([]); });
  it('are not seen by counting or by asking for their exact id', async () => {
    expect(await as(bob, `select count(*)::int as n from projects where id = 'shop' and user_id = $1`, [ada])).toEqual([{ n: 0 }]);
  });
  it('are not changed', async () => {
    expect(await changed(bob, `update projects set name = 'mine'`)).toBe(0);
    expect(await root(`select name, rev from projects`)).toEqual([{ name: 'Shop', rev: '1' }]);
  });
  it('are not removed', async () => {
    expect(await changed(bob, 'delete from projects')).toBe(0);
    expect(await root('select id from projects')).toHaveLength(1);
  });
  it('cannot be made in their name', async () => {
    await expect(as(bob, `insert into projects (user_id, id, name) values ($1, 'planted', 'x')`, [ada])).rejects.toThrow(refused(DENIED));
  });
  it('cannot be guessed: the same id is free for everybody', async () => {
    await as(bob, `insert into projects (id, name) values ('shop', 'My own')`);
    expect(await as(bob, 'select id, name, user_id from projects')).toEqual([{ id: 'shop', name: 'My own', user_id: bob }]);
  });
  it('cannot be overwritten by an upsert', async () => {
    await expect(as(bob, `insert into projects (user_id, id, name) values ($1, 'shop', 'x') on conflict (user_id, id) do update set name = 'x'`, [ada])).rejects.toThrow(refused(DENIED));
  });
  it('take no archive, session or lease of mine', async () => {
    await expect(archive(bob, 'shop')).rejects.toThrow(refused('23503'));
    await expect(as(bob, `insert into sessions (project_id, device_id, device) values ('shop', $1, 'b')`, [randomUUID()])).rejects.toThrow(refused('23503'));
    await expect(as(bob, `select * from claim_session('shop', $1, 'b', null)`, [randomUUID()])).rejects.toThrow(refused('23503'));
  });
  it('are not seen in archives and sessions either, nor changed nor removed', async () => {
    await archive(ada, 'shop');
    await as(ada, `select * from claim_session('shop', $1, 'laptop', null)`, [randomUUID()]);
    for (const table of ['archives', 'sessions']) expect(await as(bob, `select * from ${table}`)).toEqual([]);
    expect(await changed(bob, `update archives set branch = 'x'`)).toBe(0);
    expect(await changed(bob, `update sessions set status = 'ended'`)).toBe(0);
    expect(await changed(bob, 'delete from archives')).toBe(0);
  });
});

describe('my own rows', () => {
  it('cannot be given away', async () => { await expect(as(ada, 'update projects set user_id = $1', [bob])).rejects.toThrow(refused(DENIED)); });
  it('have a revision that only the database counts', async () => {
    await expect(as(ada, 'update projects set rev = 99')).rejects.toThrow(refused(DENIED));
    expect(await as(ada, `update projects set name = 'B' where rev = 1 returning rev`)).toEqual([{ rev: '2' }]);
    expect(await as(ada, `update projects set name = 'C' where rev = 1 returning rev`)).toEqual([]);
  });
  it('have a time of change that only the database sets', async () => {
    for (const column of ['updated_at', 'created_at', 'archived_at']) await expect(as(ada, `update projects set ${column} = '2000-01-01'`)).rejects.toThrow(refused(DENIED));
  });
  it('point at an archive only through its row', async () => {
    await expect(as(ada, 'update projects set archive_path = $1', [path(bob, 'shop')])).rejects.toThrow(refused(DENIED));
    const id = await archive(ada, 'shop');
    expect(await as(ada, 'update projects set archive_id = $1 returning archive_path, archive_sha256, archive_bytes', [id])).toEqual([{ archive_path: path(ada, 'shop'), archive_sha256: SHA, archive_bytes: '10' }]);
  });
  it('cannot point at an archive of somebody else, of another project, or of a branch', async () => {
    await as(bob, `insert into projects (id, name) values ('shop', 'S')`);
    await as(ada, `insert into projects (id, name) values ('blog', 'Blog')`);
    for (const id of [await archive(bob, 'shop'), await archive(ada, 'blog'), await archive(ada, 'shop', randomUUID(), { branch: 'laptop-2' }), randomUUID()]) {
      await expect(as(ada, `update projects set archive_id = $1 where id = 'shop'`, [id])).rejects.toThrow(refused('23503'));
    }
  });
  it('name no object outside of my own folder', async () => {
    for (const wrong of [path(bob, 'shop'), path(ada, 'blog'), path(ada, 'shop', 'b'.repeat(64)), `${ada}/../${bob}/project-shop.${SHA}.zip`]) {
      await expect(archive(ada, 'shop', randomUUID(), { path: wrong })).rejects.toThrow(refused('23514'));
    }
  });
  it('keep their archives as they were written', async () => {
    await archive(ada, 'shop');
    for (const column of ['sha256', 'path', 'project_id', 'sealed']) await expect(as(ada, `update archives set ${column} = 'x'`)).rejects.toThrow(refused(DENIED));
    await expect(as(ada, 'update archives set bytes = 1, user_id = $1', [bob])).rejects.toThrow(refused(DENIED));
  });
  it('never lose the current archive', async () => {
    const id = await archive(ada, 'shop');
    await as(ada, 'update projects set archive_id = $1', [id]);
    await expect(as(ada, 'delete from archives')).rejects.toThrow(refused('23503'));
  });
  it('go with the account, and nothing of another goes with them', async () => {
    await as(bob, `insert into projects (id, name) values ('shop', 'S')`);
    const id = await archive(ada, 'shop');
    await as(ada, 'update projects set archive_id = $1', [id]);
    await as(ada, 'delete from projects');
    expect(await root('select user_id from projects')).toEqual([{ user_id: bob }]);
    expect(await root('select * from archives')).toEqual([]);
  });
});

describe('the record of an account’s encryption', () => {
  const [key, other] = ['a'.repeat(32), 'b'.repeat(32)];
  it('is not seen, changed, made or removed by another', async () => {
    await as(ada, 'insert into encryption (key_id, enabled) values ($1, true)', [key]);
    expect(await as(bob, 'select * from encryption')).toEqual([]);
    expect(await changed(bob, 'update encryption set enabled = false')).toBe(0);
    expect(await changed(bob, 'delete from encryption')).toBe(0);
    await expect(as(bob, 'insert into encryption (user_id, key_id, enabled) values ($1, $2, false)', [ada, key])).rejects.toThrow(refused(DENIED));
    expect(await as(ada, 'select enabled, rev from encryption')).toEqual([{ enabled: true, rev: '1' }]);
  });
  it('never gets another key, and counts its own changes', async () => {
    await as(ada, 'insert into encryption (key_id, enabled) values ($1, true)', [key]);
    for (const set of [`key_id = '${other}'`, 'rev = 7', `user_id = '${bob}'`]) await expect(as(ada, `update encryption set ${set}`)).rejects.toThrow(refused(DENIED));
    await expect(as(ada, 'insert into encryption (key_id, enabled) values ($1, true)', [other])).rejects.toThrow(refused('23505'));
    await as(ada, 'update encryption set enabled = false');
    expect(await as(ada, 'select key_id, enabled, rev from encryption')).toEqual([{ key_id: key, enabled: false, rev: '2' }]);
  });
});

describe('what row level security does not stop by itself', () => {
  it.each(['projects', 'archives', 'sessions', 'encryption'])('TRUNCATE of %s is refused', async (table) => { await expect(as(ada, `truncate ${table} cascade`)).rejects.toThrow(refused(DENIED)); });
  it.each(['projects', 'archives', 'sessions', 'encryption'])('nobody who is not signed in reads or writes %s', async (table) => {
    for (const sql of [`select * from ${table}`, `delete from ${table}`, `insert into ${table} default values`]) await expect(as(null, sql)).rejects.toThrow(refused(DENIED));
  });
  it('nobody who is not signed in claims a lease', async () => { await expect(as(null, `select * from claim_session('shop', $1, 'x', null)`, [randomUUID()])).rejects.toThrow(refused(DENIED)); });
  it('every table and the objects have it switched on', async () => {
    expect(await root(`select relname from pg_class where relkind = 'r' and not relrowsecurity and (relnamespace = 'public'::regnamespace or oid = 'storage.objects'::regclass)`)).toEqual([]);
  });
});

describe('a lease', () => {
  const claim = (device: string, takeOver = false): Promise<readonly Record<string, unknown>[]> => as(ada, `select held, device from claim_session('shop', $1, $2, null, $3)`, [deviceId(device), device, takeOver]);
  const deviceId = (device: string): string => `00000000-0000-4000-8000-${Buffer.from(device.padEnd(6, '0')).toString('hex').slice(0, 12)}`;
  it('is held by one device, named to the other, kept by repeating, and can be taken over', async () => {
    expect(await claim('one')).toEqual([{ held: true, device: 'one' }]);
    expect(await claim('two')).toEqual([{ held: false, device: 'one' }]);
    expect(await claim('one')).toEqual([{ held: true, device: 'one' }]);
    expect(await claim('two', true)).toEqual([{ held: true, device: 'two' }]);
    expect(await claim('one')).toEqual([{ held: false, device: 'two' }]);
    expect(await root(`select status from sessions order by created_at`)).toEqual([{ status: 'taken-over' }, { status: 'active' }]);
  });
  it('is free again when its holder was silent for three minutes by the clock of the server', async () => {
    await claim('one');
    await root(`alter table sessions disable trigger user`);
    await root(`update sessions set heartbeat_at = now() - interval '4 minutes'`);
    await root(`alter table sessions enable trigger user`);
    expect(await claim('two')).toEqual([{ held: true, device: 'two' }]);
  });
  it('is had by exactly one of many who ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => claim(`d${index}`)));
    expect(new Set(answers.map(([row]) => row?.['device'])).size).toBe(1);
    expect(answers.filter(([row]) => row?.['held'] === true)).toHaveLength(1);
    expect(await root(`select 1 from sessions where status = 'active'`)).toHaveLength(1);
  });
  it('that has ended does not come to life again', async () => {
    await claim('one');
    await as(ada, `update sessions set status = 'ended'`);
    await expect(as(ada, `update sessions set status = 'active'`)).rejects.toThrow(refused('23514'));
  });
});

describe('objects', () => {
  it('are added, seen and removed by their owner', async () => {
    await object(ada, path(ada, 'shop'));
    expect(await as(ada, 'select name from storage.objects')).toHaveLength(1);
    await asUser(cluster.pool, ada, async (client) => { await client.query(`set local storage.allow_delete_query = 'true'`); await client.query('delete from storage.objects'); });
    expect(await root('select name from storage.objects')).toEqual([]);
  });
  it('are not removed while a revision names them, not even by their owner', async () => {
    await object(ada, path(ada, 'shop'));
    const id = await archive(ada, 'shop');
    const remove = (): Promise<number | null> => asUser(cluster.pool, ada, async (client) => { await client.query(`set local storage.allow_delete_query = 'true'`); return (await client.query('delete from storage.objects')).rowCount; });
    expect(await remove()).toBe(0);
    await as(ada, 'delete from archives where id = $1', [id]);
    expect(await remove()).toBe(1);
  });
  it('that are damaged are removed by their owner alone, once that was said, and only for ten minutes', async () => {
    await object(ada, path(ada, 'shop'));
    await archive(ada, 'shop');
    const allow = (who: string): Promise<readonly Record<string, unknown>[]> => as(who, 'select allow_replacement($1) as rows', [path(ada, 'shop')]);
    const remove = (): Promise<number | null> => asUser(cluster.pool, ada, async (client) => { await client.query(`set local storage.allow_delete_query = 'true'`); return (await client.query('delete from storage.objects')).rowCount; });
    await expect(as(null, 'select allow_replacement($1)', [path(ada, 'shop')])).rejects.toThrow(refused(DENIED));
    expect(await allow(bob)).toEqual([{ rows: 0 }]);
    expect(await remove()).toBe(0);
    expect(await allow(ada)).toEqual([{ rows: 1 }]);
    await root(`update archives set replaced_until = now() - interval '1 second'`);
    expect(await remove()).toBe(0);
    expect(await allow(ada)).toEqual([{ rows: 1 }]);
    expect(await remove()).toBe(1);
  });
  it('of another are not seen, not even by their exact name', async () => {
    await object(ada, path(ada, 'shop'));
    expect(await as(bob, 'select * from storage.objects where name = $1', [path(ada, 'shop')])).toEqual([]);
    await clearObjects();
  });
  it('of another are not overwritten, moved or removed', async () => {
    await object(ada, path(ada, 'shop'));
    expect(await changed(bob, 'update storage.objects set name = $1', [path(bob, 'shop')])).toBe(0);
    expect(await asUser(cluster.pool, bob, async (client) => { await client.query(`set local storage.allow_delete_query = 'true'`); return (await client.query('delete from storage.objects')).rowCount; })).toBe(0);
    await clearObjects();
  });
  it('are not overwritten or moved by their owner either', async () => {
    await object(ada, path(ada, 'shop'));
    expect(await changed(ada, 'update storage.objects set name = $1', [path(ada, 'blog')])).toBe(0);
    expect(await changed(ada, 'update storage.objects set owner_id = $1', [bob])).toBe(0);
    await clearObjects();
  });
  it.each(['another’s folder', 'no folder', 'another bucket', 'another kind of name'])('cannot be added in %s', async (kind) => {
    await root(`insert into storage.buckets (id, name) values ('other', 'other') on conflict do nothing`);
    const name = { 'another’s folder': path(ada, 'shop'), 'no folder': `project-shop.${SHA}.zip`, 'another bucket': path(bob, 'shop'), 'another kind of name': `${bob}/index.html` }[kind];
    await expect(as(bob, 'insert into storage.objects (bucket_id, name) values ($1, $2)', [kind === 'another bucket' ? 'other' : 'user-projects', name])).rejects.toThrow(refused(DENIED));
  });
  it('are invisible and closed to whoever is not signed in', async () => {
    await object(ada, path(ada, 'shop'));
    expect(await as(null, 'select * from storage.objects')).toEqual([]);
    await expect(as(null, `insert into storage.objects (bucket_id, name) values ('user-projects', $1)`, [path(ada, 'blog')])).rejects.toThrow(refused(DENIED));
    await clearObjects();
  });
  it('lie in a bucket that is private and takes only zips', async () => {
    expect(await root(`select public, allowed_mime_types from storage.buckets where id = 'user-projects'`)).toEqual([{ public: false, allowed_mime_types: ['application/zip'] }]);
    expect(await as(ada, 'select * from storage.buckets')).toEqual([]);
    expect(await changed(ada, 'update storage.buckets set public = true')).toBe(0);
  });
});

async function clearObjects(): Promise<void> {
  await asUser(cluster.pool, ada, async (client) => { await client.query(`set local storage.allow_delete_query = 'true'`); await client.query('delete from storage.objects'); });
}

describe('the types that the code uses', () => {
  it('are those of the migrations', { timeout: 60_000 }, async () => {
    expect(await generateTypes(cluster)).toBe(await readFile(TYPES_FILE, 'utf8'));
  });
});

describe('the migrations', () => {
  it('are applied by the Supabase CLI, to the same policies', { timeout: 60_000 }, async () => {
    const policies = `select schemaname, tablename, policyname, cmd, qual, with_check from pg_policies where schemaname in ('public', 'storage') order by 1, 2, 3`;
    const other = await startCluster();
    try {
      await preparePlatform(other);
      await pushMigrations(other);
      expect((await other.pool.query(policies)).rows).toEqual(await root(policies));
      expect((await other.pool.query('select count(*)::int as n from supabase_migrations.schema_migrations')).rows).toEqual([{ n: (await readdir(MIGRATIONS)).length }]);
    } finally {
      await other.stop();
    }
  });
});
