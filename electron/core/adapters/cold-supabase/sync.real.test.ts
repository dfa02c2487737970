import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Project } from '#shared/project.ts';
import { storedZip } from '../archive/stored-zip.fixture.ts';
import { makeTieredColdStore } from '../cold-tiered/cold-store.ts';
import type { RemoteBackend } from '../../ports/remote-store.ts';
import { CloudLimits } from '../../services/cloud/limits.ts';
import { Sync, type SyncReport } from '../../services/cloud/sync.ts';
import { recordRevision, verifyStored } from '../../services/revisions.ts';
import { leftoversContract } from '../../testing/leftovers.contract.ts';
import { makeWorld, type World } from '../../testing/world.ts';
import { makeSupabaseBackend } from './backend.ts';
import { StorageApi } from './storage-api.ts';
import { signedIn, type TestUser } from './testing/signed-in.ts';
import { overwriteObject, startStack, type Stack } from './testing/stack.ts';

let stack: Stack;
beforeAll(async () => { stack = await startStack(); });
afterAll(() => stack.stop());

/** A computer of its own: its own home, clock and services; the same account. */
type Computer = { readonly name: string; readonly world: World; readonly backend: RemoteBackend; readonly user: TestUser; sync: Sync; step(): Promise<SyncReport>; restart(): Promise<void> };
let account: TestUser;
const computers: Computer[] = [];
/** What was looked at before it was sent, by whom. */
const looked: string[] = [];

async function computer(name: string): Promise<Computer> {
  const user = await signedIn(stack, account.user.email);
  const make = async (world: World): Promise<Omit<Computer, 'step' | 'restart'>> => {
    const device = { id: crypto.randomUUID(), name };
    const backend = makeSupabaseBackend(new StorageApi(user.session), user.archives, device);
    world.context.store.sync.facts.put('defaultStore', 'supabase');
    Object.assign(world.cold, makeTieredColdStore({ ...world.cold }, (id) => world.context.store.sync.get(id) === null ? null : backend.archives, join(user.folder, 'down')));
    const limits = new CloudLimits(() => ({ maxFileBytes: 1_000_000, totalBytes: null }), world.context.runtime.now);
    return { name, world, backend, user, sync: new Sync({ context: world.context, device, backends: (kind) => (kind === 'supabase' ? backend : null), limits, beforeUpload: async ({ rev }) => { looked.push(`${name} ${rev}`); await Promise.resolve(); } }) };
  };
  const world = await makeWorld({ clock: { now: Date.now() } });
  const made: Computer = {
    ...(await make(world)),
    step: () => made.sync.now(),
    restart: async () => { await made.sync.stop(); Object.assign(made, await make(await made.world.reborn())); },
  };
  computers.push(made);
  return made;
}
beforeEach(async () => {
  account = await signedIn(stack);
});
afterEach(async () => {
  stack.faults.clear();
  for (const { sync, world, user } of computers.splice(0)) { await sync.stop(); await world.dispose(); await user.dispose(); }
  await account.dispose();
});

/** Saves a file in a resting project, as a Save & Exit would. */
async function save({ world }: Computer, projectId: string, text: string): Promise<number> {
  const { context } = world;
  world.clock.now += 1000;
  const stored = await context.cold.put(projectId, Readable.from([storedZip([{ name: 'a.txt', data: text }])]), {});
  await verifyStored(context, projectId, stored);
  const now = context.runtime.now();
  const revision = await recordRevision(context, { projectId, ...stored, files: 1, contentBytes: text.length, reason: 'exit', createdAt: now, verifiedAt: now, leftOut: [] }, world.projects.get(projectId).head?.rev ?? null);
  return revision.rev;
}
const create = ({ world }: Computer, name = 'Shop'): Promise<Project> => world.projects.create({ name, template: 'blank', hostId: 'local', settings: {} });
const get = ({ world }: Computer, id: string): Project => world.projects.get(id);
const content = async ({ world }: Computer, id: string, rev: number | null = null): Promise<string> => (await buffer((await world.history.open(id, rev)).content)).toString('latin1');
const rows = (sql: string): Promise<readonly Record<string, unknown>[]> => stack.cluster.pool.query<Record<string, unknown>>(sql.replaceAll('$me', `'${account.user.userId}'`)).then((answer) => answer.rows);

describe('sync between computers of one account', () => {
  it('brings a project with its revisions to the other computer, and fetches its archive when it is wanted', async () => {
    const [one, two] = [await computer('one'), await computer('two')];
    const { id } = await create(one);
    await save(one, id, 'second');
    expect(get(one, id).sync).toMatchObject({ state: 'pending', pending: 3 });
    expect(looked.splice(0)).toEqual([]);
    expect(await one.step()).toMatchObject({ pending: 0, error: null });
    expect(looked.splice(0)).toEqual(['one 1', 'one 2']);
    expect(get(one, id).sync).toMatchObject({ store: 'supabase', state: 'synced', pending: 0, conflict: null });
    await two.step();
    expect(get(two, id)).toMatchObject({ name: 'Shop', template: 'blank', settings: get(one, id).settings, head: { rev: 2, reason: 'exit', sha256: get(one, id).head?.sha256 }, sync: { state: 'synced' } });
    expect(two.world.history.list(id).revisions.map(({ rev, parentRev }) => [rev, parentRev])).toEqual([[2, 1], [1, null]]);
    expect(existsSync(two.world.cold.localPath(id, get(two, id).head?.sha256 ?? '') ?? '')).toBe(false);
    expect(await content(two, id)).toContain('second');
    expect(existsSync(two.world.cold.localPath(id, get(two, id).head?.sha256 ?? '') ?? '')).toBe(true);
    // Nothing goes round in circles.
    expect(await one.step()).toMatchObject({ pushed: 0, pending: 0 });
    expect(await two.step()).toMatchObject({ pushed: 0, pending: 0 });
  });

  it('carries renames, settings, deleting and bringing back, in their order', async () => {
    const [one, two] = [await computer('one'), await computer('two')];
    const { id } = await create(one);
    await one.world.projects.update(id, { name: 'Shop 2', settings: { idleMinutes: 7 } });
    one.world.projects.delete(id);
    await one.step();
    await two.step();
    expect(two.world.projects.list(false)).toEqual([]);
    expect(get(two, id)).toMatchObject({ name: 'Shop 2', settings: { idleMinutes: 7 } });
    two.world.projects.undelete(id);
    await two.step();
    await one.step();
    expect(get(one, id)).toMatchObject({ deletedAt: null, name: 'Shop 2' });
  });

  it('goes back and forth without a branch as long as nobody overtakes', async () => {
    const [one, two] = [await computer('one'), await computer('two')];
    const { id } = await create(one);
    for (let round = 0; round < 3; round += 1) {
      for (const [from, to] of [[one, two], [two, one]] as const) {
        await from.step();
        await save(from, id, `${from.name} ${round}`);
        await from.step();
        await to.step();
        expect(await content(to, id)).toContain(`${from.name} ${round}`);
      }
    }
    expect(get(one, id).head?.sha256).toBe(get(two, id).head?.sha256);
    expect(await rows('select count(*)::int as n from archives where user_id = $me and branch is not null')).toEqual([{ n: 0 }]);
  });

  it('keeps both when two save from the same base: the second as a named branch, on both computers', async () => {
    const [one, two] = [await computer('one'), await computer('laptop-2')];
    const { id } = await create(one);
    await one.step();
    await two.step();
    await save(one, id, 'from one');
    await save(two, id, 'from two');
    await save(two, id, 'from two, later');
    await one.step();
    await two.step();
    const { conflict } = get(two, id).sync ?? {};
    expect(conflict).toMatchObject({ branch: expect.stringMatching(/^laptop-2, \d{4}-\d\d-\d\d \d\d:\d\d$/) as unknown });
    expect(await content(two, id)).toContain('from one');
    expect(await content(two, id, conflict?.ours)).toContain('from two, later');
    expect(get(two, id).head?.rev).toBe(conflict?.theirs);
    await one.step();
    expect(get(one, id).head?.sha256).toBe(get(two, id).head?.sha256);
    const branched = one.world.history.list(id).revisions.filter(({ branch }) => branch !== undefined);
    expect(branched).toHaveLength(2);
    expect(branched.every(({ branch }) => branch === conflict?.branch)).toBe(true);
    expect(await content(one, id, branched[0]?.rev)).toContain('from two, later');
    // Choosing ours makes it the newest of the main line.
    two.world.clock.now += 1000;
    await two.world.history.restore(id, conflict?.ours ?? 0).done;
    await two.step();
    await one.step();
    expect(await content(one, id)).toContain('from two, later');
  });

  it('does not move a project under an environment that runs, and takes the other save over when it has ended', async () => {
    const [one, two] = [await computer('one'), await computer('two')];
    const { id } = await create(one);
    await one.step();
    await two.step();
    await two.world.environments.open(id).done;
    two.world.guest(id).write('b.txt', 'typed on two');
    await save(one, id, 'from one');
    await one.step();
    await two.step();
    expect(get(two, id)).toMatchObject({ head: { rev: 1 } });
    expect((await two.world.environments.close(id).done).state).toBe('succeeded');
    await two.step();
    expect(await content(two, id)).toContain('from one');
    expect(await content(two, id, get(two, id).sync?.conflict?.ours)).toContain('typed on two');
  });

  it('warns who has a project open, gives that back at the end, and lets it be taken over', async () => {
    const [one, two] = [await computer('one'), await computer('laptop-2')];
    const { id } = await create(one);
    await one.step();
    await two.step();
    await two.world.environments.open(id).done;
    await two.step();
    expect(get(two, id).sync?.lease).toMatchObject({ mine: true });
    await one.step();
    expect(get(one, id).sync?.lease).toMatchObject({ device: 'laptop-2', mine: false });
    await one.sync.takeOver(id);
    expect(get(one, id).sync?.lease).toMatchObject({ device: 'one', mine: true });
    await two.world.environments.close(id).done;
    await two.step();
    await one.step();
    expect(get(one, id).sync?.lease).toBeNull();
  });

  it('knows its projects again after its database was lost, and sends what only it had', async () => {
    const one = await computer('one');
    const { id } = await create(one);
    await one.step();
    await save(one, id, 'only here');
    one.world.context.store.sync.forget(id);
    one.world.context.store.sync.facts.put('cursor:supabase', null);
    await one.step();
    const two = await computer('two');
    await two.step();
    expect(await content(two, id)).toContain('only here');
    expect(get(two, id).sync).toMatchObject({ conflict: null });
  });

  it('keeps what another computer removed from the cloud, and sends it again when somebody goes on with it there', async () => {
    const [one, two] = [await computer('one'), await computer('two')];
    const [{ id }, other] = [await create(one), await create(one, 'Other')];
    await one.step();
    await two.step();
    await content(two, id);
    await one.backend.index.removeProject(id);
    await one.backend.index.removeProject(other.id);
    await save(two, id, 'goes on');
    await two.restart();
    await two.step();
    expect(get(two, id).sync).toMatchObject({ state: 'synced', conflict: null });
    expect(get(two, other.id).sync).toBeUndefined();
    expect(await rows('select id from projects where user_id = $me and archive_id is not null')).toEqual([{ id }]);
  });

  it('removes in the cloud what was removed for good here, and only that', async () => {
    const one = await computer('one');
    const [gone, stays] = [await create(one, 'Gone'), await create(one, 'Stays')];
    await one.step();
    one.world.projects.delete(gone.id);
    one.world.clock.now += 31 * 86_400_000;
    await one.world.projects.purge();
    expect(await one.step()).toMatchObject({ pending: 0 });
    expect(await rows('select id from projects where user_id = $me')).toEqual([{ id: stays.id }]);
    expect(await one.user.archives.list(gone.id)).toEqual([]);
    expect(await one.user.archives.list(stays.id)).toHaveLength(1);
  });
});

describe('what goes wrong on the way', () => {
  it('keeps everything owed while there is no network, through a restart, and sends it once afterwards', async () => {
    const one = await computer('one');
    stack.faults.set(() => ({ kind: 'cut-upload', afterBytes: 0 }));
    const { id } = await create(one);
    await save(one, id, 'offline');
    await one.world.projects.update(id, { name: 'Renamed' });
    expect(await one.step()).toMatchObject({ pushed: 0, pending: 4, error: { code: 'CLOUD_OFFLINE' } });
    await one.restart();
    expect(get(one, id).sync).toMatchObject({ state: 'pending', pending: 4 });
    stack.faults.clear();
    expect(await one.step()).toMatchObject({ pushed: 4, pending: 0, error: null });
    expect(await rows('select name from projects where user_id = $me')).toEqual([{ name: 'Renamed' }]);
    expect(await rows('select count(*)::int as n from archives where user_id = $me')).toEqual([{ n: 2 }]);
  });

  it('is not confused by any single answer that is lost or any single request that fails', async () => {
    const one = await computer('one');
    const { id } = await create(one);
    await one.step();
    for (let request = 0; request < 30; request += 1) {
      for (const fault of [{ kind: 'lose-answer' }, { kind: 'status', status: 500 }] as const) {
        await save(one, id, `${fault.kind} ${request}`);
        let seen = 0;
        stack.faults.set(({ path }) => path.startsWith('/auth') || seen++ !== request ? null : fault);
        for (let tries = 0; tries < 3 && one.world.context.store.sync.outbox.count(null) > 0; tries += 1) await one.step();
        stack.faults.clear();
        await one.step();
        expect(get(one, id).sync, `${fault.kind} at request ${request}`).toMatchObject({ state: 'synced', conflict: null });
        if (seen < request) return;
      }
    }
  });

  it.each([false, true])('ends well when it dies between recording a revision and moving the pointer (another computer was faster meanwhile: %s)', async (overtaken) => {
    const [one, two] = [await computer('one'), await computer('two')];
    const { id } = await create(one);
    await one.step();
    await two.step();
    await save(two, id, 'half sent');
    Object.assign(two.world.context.runtime, { fault: (point: string) => { if (point === 'sync.recorded') throw new Error('died here'); } });
    await two.step();
    expect(await rows('select count(*)::int as n from archives where user_id = $me')).toEqual([{ n: 2 }]);
    // In flight is not there: nobody takes it for the newest.
    await one.step();
    expect(get(one, id).head?.rev).toBe(1);
    if (overtaken) { await save(one, id, 'faster'); await one.step(); }
    await two.restart();
    await two.step();
    await one.step();
    const main = await content(two, id);
    expect(main).toContain(overtaken ? 'faster' : 'half sent');
    expect(await content(one, id)).toBe(main);
    expect(await rows('select count(*)::int as n from archives where user_id = $me and branch is not null')).toEqual([{ n: overtaken ? 1 : 0 }]);
    expect(get(two, id).sync?.conflict === null).toBe(!overtaken);
  });

  it('stops at what the plan does not take, says so, and goes on with the other projects', async () => {
    const one = await computer('one');
    const [big, small] = [await create(one, 'Big'), await create(one, 'Small')];
    await one.step();
    await save(one, big.id, 'x'.repeat(1_200_000));
    await save(one, small.id, 'small');
    await one.step();
    expect(get(one, big.id).sync).toMatchObject({ state: 'failed', pending: 1, error: { code: 'CLOUD_FILE_TOO_LARGE', details: { limitBytes: 1_000_000 } } });
    expect(get(one, small.id).sync).toMatchObject({ state: 'synced' });
  });

  it('lets exactly one of two writers win, a hundred times, and keeps the other', { timeout: 280_000 }, async () => {
    const [one, two] = [await computer('one'), await computer('two')];
    const { id } = await create(one);
    await one.step();
    await two.step();
    const texts = new Set<string>();
    for (let round = 0; round < 100; round += 1) {
      for (const writer of [one, two]) { const text = `${writer.name} wrote ${round}`; texts.add(text); await save(writer, id, text); }
      await Promise.all([one.step(), two.step()]);
      await Promise.all([one.step(), two.step()]);
      expect(get(one, id).head?.sha256).toBe(get(two, id).head?.sha256);
    }
    const lines = await rows(`select branch is null as main, count(*)::int as n from archives where user_id = $me group by 1 order by 1`);
    expect(lines).toEqual([{ main: false, n: 100 }, { main: true, n: 101 }]);
    const kept = one.world.history.list(id).revisions;
    expect(kept).toHaveLength(201);
    expect((await rows('select count(distinct sha256)::int as n from archives where user_id = $me'))[0]).toEqual({ n: 201 });
  });
});

leftoversContract('Supabase', async () => {
  const one = await computer('one');
  return {
    backend: one.backend, world: one.world, sync: one.step,
    age: async (key) => { await stack.cluster.pool.query(`update storage.objects set created_at = created_at - interval '2 days' where name = $1`, [key]); },
    block: (on) => { if (on) stack.faults.set(() => ({ kind: 'cut-upload', afterBytes: 0 })); else stack.faults.clear(); },
    damage: (key) => overwriteObject(stack, key, 'damaged'),
    has: async (key) => (await stack.cluster.pool.query('select from storage.objects where name = $1', [key])).rowCount === 1,
  };
});

it('sends again what a sweep took away between the upload and its row', async () => {
  const one = await computer('one');
  const { id } = await create(one);
  await one.step();
  await save(one, id, 'swept');
  const key = `project-${id}.${get(one, id).head?.sha256 ?? ''}.zip`;
  const { insertArchive } = one.backend.index;
  Object.assign(one.backend.index, { insertArchive: async (...given: Parameters<typeof insertArchive>) => {
    await one.user.archives.remove(id, get(one, id).head?.sha256 ?? '');
    return insertArchive(...given);
  } });
  expect(await one.step()).toMatchObject({ pending: 0, error: null });
  expect((await rows('select name from storage.objects')).map(({ name }) => String(name).endsWith(key))).toContain(true);
});
