import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { storedZip } from '../archive/stored-zip.fixture.ts';
import { makeTieredColdStore } from '../cold-tiered/cold-store.ts';
import { memoryJournal } from '../cold-supabase/testing/signed-in.ts';
import type { RemoteBackend } from '../../ports/remote-store.ts';
import { CloudLimits } from '../../services/cloud/limits.ts';
import { Sync } from '../../services/cloud/sync.ts';
import { recordRevision } from '../../services/revisions.ts';
import { leftoversContract } from '../../testing/leftovers.contract.ts';
import { makeWorld, type World } from '../../testing/world.ts';
import { makeS3Backend } from './backend.ts';
import { startS3Double, type S3Double } from './testing/s3-double.ts';

let s3: S3Double;
let folder: string;
let prefix: string;
beforeAll(async () => { s3 = await startS3Double(); folder = mkdtempSync(join(tmpdir(), 'vessel-s3-sync-')); });
afterAll(async () => { await s3.stop(); rmSync(folder, { recursive: true, force: true }); });

type Computer = { readonly name: string; readonly world: World; readonly sync: Sync; readonly backend: RemoteBackend };
const computers: Computer[] = [];
beforeEach(() => { prefix = `${crypto.randomUUID()}/`; });
afterEach(async () => { for (const { sync, world } of computers.splice(0)) { await sync.stop(); await world.dispose(); } });

/** The same services as over Supabase; only the back end is another. */
async function computer(name: string): Promise<Computer> {
  const world = await makeWorld({ clock: { now: Date.now() } });
  const device = { id: crypto.randomUUID(), name };
  const backend = makeS3Backend({ ...s3, prefix }, device, memoryJournal(), join(folder, name));
  world.context.store.sync.facts.put('defaultStore', 's3');
  Object.assign(world.cold, makeTieredColdStore({ ...world.cold }, (id) => world.context.store.sync.get(id) === null ? null : backend.archives, join(folder, name)));
  const limits = new CloudLimits(() => ({ maxFileBytes: null, totalBytes: null }), Date.now);
  const made = { name, world, backend, sync: new Sync({ context: world.context, device, backends: (kind) => (kind === 's3' ? backend : null), limits }) };
  computers.push(made);
  return made;
}
async function save({ world }: Computer, projectId: string, data: string): Promise<void> {
  world.clock.now += 1000;
  const stored = await world.context.cold.put(projectId, Readable.from([storedZip([{ name: 'a.txt', data }])]), {});
  const now = world.clock.now;
  await recordRevision(world.context, { projectId, ...stored, files: 1, contentBytes: data.length, reason: 'exit', createdAt: now, verifiedAt: now, leftOut: [] }, world.projects.get(projectId).head?.rev ?? null);
}
const content = async ({ world }: Computer, id: string, rev: number | null = null): Promise<string> => (await buffer((await world.history.open(id, rev)).content)).toString('latin1');
const shared = async (): Promise<{ readonly one: Computer; readonly two: Computer; readonly id: string }> => {
  const [one, two] = [await computer('one'), await computer('two')];
  const { id } = await one.world.projects.create({ name: 'Shop', template: 'blank', hostId: 'local', settings: {} });
  expect(await one.sync.now()).toMatchObject({ pending: 0, error: null });
  await two.sync.now();
  return { one, two, id };
};

describe('sync over a bucket alone', () => {
  it('brings projects, names and revisions to the other computer', async () => {
    const { one, two, id } = await shared();
    await save(two, id, 'by two');
    await two.world.projects.update(id, { name: 'Renamed' });
    await two.sync.now();
    await one.sync.now();
    expect(one.world.projects.get(id)).toMatchObject({ name: 'Renamed', sync: { store: 's3', state: 'synced', conflict: null } });
    expect(await content(one, id)).toContain('by two');
  });

  it('lets exactly one of two writers win, thirty times, and keeps the other as a branch on both', async () => {
    const { one, two, id } = await shared();
    for (let round = 0; round < 30; round += 1) {
      for (const writer of [one, two]) await save(writer, id, `${writer.name} ${round}`);
      await Promise.all([one.sync.now(), two.sync.now()]);
      await Promise.all([one.sync.now(), two.sync.now()]);
      expect(one.world.projects.get(id).head?.sha256).toBe(two.world.projects.get(id).head?.sha256);
    }
    for (const { world } of [one, two]) {
      const { revisions } = world.history.list(id);
      expect(revisions.filter(({ branch }) => branch === undefined)).toHaveLength(31);
      expect(revisions.filter(({ branch }) => branch !== undefined)).toHaveLength(30);
    }
  });
});

leftoversContract('S3', async () => {
  const { backend, world, sync } = await computer('one');
  return {
    backend, world, sync: () => sync.now(),
    age: async (key) => { s3.writtenAt.set(`${prefix}${key}`, Date.now() - 2 * 24 * 3_600_000); },
    block: (on) => { if (on) s3.faults.set(() => ({ kind: 'cut-upload', afterBytes: 0 })); else s3.faults.clear(); },
    damage: async (key) => { s3.objects.set(`${prefix}${key}`, Buffer.from('damaged')); },
    has: async (key) => s3.objects.has(`${prefix}${key}`),
  };
});
