import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveStore, ColdStore } from '../../ports/cold-store.ts';
import type { CopiesPolicy, SafeCopies } from '../../ports/safe-copies.ts';
import { coldStoreContract } from '../cold-local/cold-store.contract.ts';
import { openLocalColdStore } from '../cold-local/cold-store.ts';
import { openCopies } from './open-copies.ts';
import { fakeRemote } from './fake-remote.fixture.ts';
import { safeCopiesContract } from './safe-copies.contract.ts';

const folders: string[] = [];
const fresh = (): string => { const folder = mkdtempSync(join(tmpdir(), 'vessel-copies-')); folders.push(folder); return folder; };
afterAll(() => { for (const folder of folders) rmSync(folder, { recursive: true, force: true }); });
const signal = new AbortController().signal;
const generous: CopiesPolicy = { budgetBytes: 1e9, kept: new Set() };
const code = (name: string): unknown => expect.objectContaining({ code: name });

const behind = new WeakMap<ArchiveStore, ColdStore>();
coldStoreContract('the remote stand-in', {
  make: async () => { const local = await openLocalColdStore(fresh()); const { cold } = fakeRemote(local); behind.set(cold, local); return cold; },
  damage: async (store, projectId, sha256) => { await writeFile(behind.get(store)?.localPath(projectId, sha256) ?? '', 'damaged'); },
});
safeCopiesContract('a local store', { make: async () => { const cold = await openLocalColdStore(fresh()); return { cold, copies: await openCopies({ cold, root: fresh(), policy: () => generous, now: Date.now }) }; } });
safeCopiesContract('the cache of a remote store', { make: async () => { const { cold } = fakeRemote(await openLocalColdStore(fresh())); return { cold, copies: await openCopies({ cold, root: fresh(), policy: () => generous, now: Date.now }) }; } });

type Remote = { readonly remote: ReturnType<typeof fakeRemote>; readonly root: string; readonly copies: SafeCopies; policy: CopiesPolicy; now: number; put(projectId: string, bytes?: number): Promise<string> };
async function remoteWorld(): Promise<Remote> {
  const remote = fakeRemote(await openLocalColdStore(fresh()));
  const root = fresh();
  const world: { policy: CopiesPolicy; now: number } = { policy: generous, now: 1_700_000_000_000 };
  const copies = await openCopies({ cold: remote.cold, root, policy: () => world.policy, now: () => (world.now += 1000) });
  const put = async (projectId: string, bytes = 1000): Promise<string> => (await remote.cold.put(projectId, Readable.from([randomBytes(bytes)]), {})).sha256;
  return Object.assign(world, { remote, root, copies, put });
}

describe('the cache of a remote store', () => {
  it('can be read with the network off, and says so of what it does not have', async () => {
    const world = await remoteWorld();
    const [here, away] = [await world.put('a'), await world.put('b')];
    (await world.copies.borrow('a', here, signal)).release();
    world.remote.setOnline(false);
    (await world.copies.borrow('a', here, signal)).release();
    await expect(world.copies.borrow('b', away, signal)).rejects.toThrow(code('STORE_FAILED'));
    expect(await world.copies.has('b', away)).toBe(false);
    expect(readdirSync(join(world.root, 'b'))).toEqual([]);
  });

  it('fetches once for many who ask at the same time', async () => {
    const world = await remoteWorld();
    const sha = await world.put('a', 500_000);
    await Promise.all(Array.from({ length: 8 }, () => world.copies.borrow('a', sha, signal)));
    expect(world.remote.opened()).toBe(1);
  });

  it('does not let one who leaves take the archive from the others', async () => {
    const world = await remoteWorld();
    const sha = await world.put('a', 500_000);
    const leaving = new AbortController();
    const first = world.copies.borrow('a', sha, leaving.signal);
    const second = world.copies.borrow('a', sha, signal);
    leaving.abort();
    await first.catch((error: unknown) => expect(VesselError.from(error).code).toBe('CANCELLED'));
    expect(statSync((await second).path).size).toBe(500_000);
  });

  it('refuses an archive that is not the one that was verified', async () => {
    const world = await remoteWorld();
    const [a, b] = [await world.put('a'), await world.put('a')];
    world.remote.swap(a, b);
    await expect(world.copies.borrow('a', a, signal)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    expect(readdirSync(join(world.root, 'a'))).toEqual([]);
  });

  it('drops what was used least recently, but nothing in use and nothing of a kept project', async () => {
    const world = await remoteWorld();
    const shas = new Map<string, string>();
    for (const id of ['a', 'b', 'c', 'd']) { shas.set(id, await world.put(id)); (await world.copies.borrow(id, shas.get(id) ?? '', signal)).release(); }
    const held = await world.copies.borrow('b', shas.get('b') ?? '', signal);
    world.policy = { budgetBytes: 2000, kept: new Set(['a']) };
    expect(await world.copies.evict()).toBe(2);
    const here = await Promise.all([...shas].map(async ([id, sha]) => [id, await world.copies.has(id, sha)]));
    expect(here).toEqual([['a', true], ['b', true], ['c', false], ['d', false]]);
    held.release();
    world.policy = { budgetBytes: 0, kept: new Set(['a']) };
    expect(await world.copies.evict()).toBe(1);
    expect(await world.copies.stats()).toEqual({ bytes: 1000, archives: 1 });
  });

  it('brings the first ones here as far as the budget goes, kept projects always, and goes on when one fails', async () => {
    const world = await remoteWorld();
    const wanted = await Promise.all(['a', 'b', 'c', 'd'].map(async (projectId) => ({ projectId, sha256: await world.put(projectId), bytes: 1000 })));
    world.policy = { budgetBytes: 2500, kept: new Set(['d']) };
    await world.remote.lose('a', wanted[0]?.sha256 ?? '');
    expect(await world.copies.keep(wanted, signal)).toEqual(['a']);
    expect(await Promise.all(wanted.map(({ projectId, sha256 }) => world.copies.has(projectId, sha256)))).toEqual([false, true, false, true]);
  });

  it('forgets what a crash left half, and does not offer a damaged copy for a repair', async () => {
    const world = await remoteWorld();
    const sha = await world.put('a');
    const { path, release } = await world.copies.borrow('a', sha, signal);
    release();
    writeFileSync(join(world.root, 'a', '.part-left'), 'half');
    const again = await openCopies({ cold: world.remote.cold, root: world.root, policy: () => generous, now: Date.now });
    expect(readdirSync(join(world.root, 'a'))).toHaveLength(1);
    expect(await again.spare('a', sha)).toBe(path);
    await writeFile(path, 'damaged');
    expect(await again.spare('a', sha)).toBeNull();
    expect(await again.has('a', sha)).toBe(false);
    await rm(path, { force: true });
  });

  it('never lets an address be a path', async () => {
    const { copies } = await remoteWorld();
    const sha = createHash('sha256').update('x').digest('hex');
    for (const [id, hash] of [['..', sha], ['a/b', sha], ['a', '../x']] as const) await expect((async () => copies.has(id, hash))()).rejects.toThrow(code('BAD_REQUEST'));
  });
});
