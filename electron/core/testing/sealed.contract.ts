import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EncryptionStatus } from '#shared/encryption-contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import type { Project } from '#shared/project.ts';
import type { RemoteBackend } from '../ports/remote-store.ts';
import type { BackendEncryption } from '../ports/encryption.ts';
import { Encryption } from '../services/cloud/encryption.ts';
import { CloudLimits } from '../services/cloud/limits.ts';
import { makeEncryptionPins } from '../services/cloud/encryption-pins.ts';
import { makeSealedNames } from '../services/cloud/sealed-names.ts';
import { Sync, type SyncReport } from '../services/cloud/sync.ts';
import { recordRevision } from '../services/revisions.ts';
import { sealedArchivesContract } from './sealed-archives.contract.ts';
import { sealedPinContract } from './sealed-pin.contract.ts';
import { makeWorld, type World } from './world.ts';
import { storedZip } from '../adapters/archive/stored-zip.fixture.ts';
import { memorySecrets } from '../adapters/cold-supabase/testing/signed-in.ts';
import { makeTieredColdStore } from '../adapters/cold-tiered/cold-store.ts';
import { makeKeyRing, type KeyRing } from '../adapters/sealed/key-ring.ts';
import { makeSealedBackend } from '../adapters/sealed/sealed-backend.ts';
import type { TestAccount, TestCloud } from '../adapters/sealed/testing/test-clouds.ts';

type Sealed = RemoteBackend & { readonly encryption: BackendEncryption };
const code = (name: string): unknown => expect.objectContaining({ code: name });
/** Where it dies, and at which passing: in the middle of the revisions, or of the end. */
const CRASHES = [['encrypt.uploaded', 2], ['encrypt.verified', 2], ['encrypt.recorded', 1], ['encrypt.recorded', 2], ['encrypt.swapped', 1], ['encrypt.objects-removed', 1], ['encrypt.rows-removed', 1]] as const;

/** What encryption promises, over any cloud: run with the cold-store contract over Supabase and over S3. */
export function sealedContract(name: string, startCloud: () => Promise<TestCloud>): void {
  let cloud: TestCloud;
  let account: TestAccount;
  let folder = '';
  const computers: Computer[] = [];
  beforeAll(async () => { cloud = await startCloud(); });
  afterAll(() => cloud.stop());
  beforeEach(async () => { account = await cloud.account(); folder = mkdtempSync(join(tmpdir(), 'vessel-sealed-')); });
  afterEach(async () => {
    cloud.faults.clear();
    for (const { sync, world } of computers.splice(0)) { await world.context.operations.close(); await sync.stop(); await world.dispose(); }
    rmSync(folder, { recursive: true, force: true });
  });

  sealedArchivesContract(name, { cloud: () => cloud, account: () => account, folder: () => folder });

  /** A computer of its own: its own home, keys, clock and services; the same account. */
  type Computer = { readonly name: string; readonly world: World; readonly raw: RemoteBackend; readonly backend: Sealed; readonly ring: KeyRing; readonly encryption: Encryption; readonly sync: Sync; step(): Promise<SyncReport>; restart(): Promise<void> };
  async function computer(deviceName: string): Promise<Computer> {
    const device = { id: crypto.randomUUID(), name: deviceName };
    const raw = await account.device(device);
    const secrets = memorySecrets();
    const make = (world: World): Omit<Computer, 'step' | 'restart'> => {
      const ring = makeKeyRing(secrets);
      const { facts } = world.context.store.sync;
      let asked = 0;
      // Each question about the record is half a minute after the one before.
      const backend = makeSealedBackend(raw, { ring, names: makeSealedNames(facts), pins: makeEncryptionPins(facts, () => 'the account'), spool: join(folder, `${deviceName}-up`), now: () => (asked += 31_000) });
      facts.put('defaultStore', cloud.kind);
      Object.assign(world.cold, makeTieredColdStore({ ...world.cold }, (id) => (world.context.store.sync.get(id) === null ? null : backend.archives), join(folder, `${deviceName}-down`)));
      const sync = new Sync({ context: world.context, device, backends: (kind) => (kind === cloud.kind ? backend : null), limits: new CloudLimits(() => ({ maxFileBytes: null, totalBytes: null }), Date.now), heldBack: (kind) => encryption.heldBack(kind) });
      const encryption: Encryption = new Encryption({ context: world.context, keys: ring, stores: () => [{ kind: cloud.kind, encryption: backend.encryption }], sync: () => sync.now() });
      return { name: deviceName, world, raw, backend, ring, encryption, sync };
    };
    const made: Computer = {
      ...make(await makeWorld({ clock: { now: Date.now() } })),
      step: () => made.sync.now(),
      restart: async () => { await made.sync.stop(); Object.assign(made, make(await made.world.reborn())); },
    };
    computers.push(made);
    return made;
  }
  async function save({ world }: Computer, projectId: string, file: string, data: string): Promise<void> {
    world.clock.now += 1000;
    const stored = await world.context.cold.put(projectId, Readable.from([storedZip([{ name: file, data }])]), {});
    const now = world.clock.now;
    await recordRevision(world.context, { projectId, ...stored, files: 1, contentBytes: data.length, reason: 'exit', createdAt: now, verifiedAt: now, leftOut: [{ path: 'left-out-marker', reason: 'rule' }] }, world.projects.get(projectId).head?.rev ?? null);
  }
  const create = ({ world }: Computer, projectName: string): Promise<Project> => world.projects.create({ name: projectName, template: 'blank', hostId: 'local', settings: { exclude: { preset: 'safe', rules: ['settings-marker/**'] } } });
  const content = async ({ world }: Computer, id: string, rev: number | null = null): Promise<string> => (await buffer((await world.history.open(id, rev)).content)).toString('latin1');
  const contents = async (one: Computer, id: string): Promise<readonly string[]> => Promise.all([...one.world.history.list(id).revisions].reverse().map(({ rev }) => content(one, id, rev)));
  /** Turns it on as a person does, and waits for what is there to be encrypted. Returns the phrase. */
  async function turnOn({ encryption }: Computer): Promise<{ readonly phrase: string; readonly operation: Operation }> {
    const { keyId, phrase, ask } = await encryption.begin();
    const words = (phrase ?? '').split(' ');
    const { done } = await encryption.turnOn(keyId, ask.map((place) => words[place - 1] ?? ''));
    return { phrase: phrase ?? '', operation: await done };
  }
  /** Words that only a person's files, settings and hashes hold. */
  const markers = (one: Computer, id: string): readonly string[] => ['content-marker', 'file-marker', 'left-out-marker', 'settings-marker', 'Name Marker', ...one.world.history.list(id).revisions.map(({ sha256 }) => sha256)];
  const found = async (words: readonly string[]): Promise<readonly string[]> => { const held = (await account.held()).toString('latin1'); return words.filter((word) => held.includes(word)); };
  const rows = async ({ raw }: Computer, id: string): Promise<readonly boolean[]> => (await raw.index.archives(id)).map(({ sealed }) => sealed !== undefined);
  const states = ({ stores }: EncryptionStatus): readonly string[] => stores.map(({ state }) => state);

  describe(`${name}, encrypted`, () => {
    it('holds nothing in plain: no file, name, setting, left-out path or hash; and another computer with the phrase reads all of it', async () => {
      const [one, two] = [await computer('one'), await computer('two')];
      const { phrase } = await turnOn(one);
      const { id } = await create(one, 'Shop');
      await save(one, id, 'file-marker.txt', 'content-marker 1');
      await one.world.projects.update(id, { name: 'Name Marker' });
      await save(one, id, 'file-marker.txt', 'content-marker 2');
      expect(await one.step()).toMatchObject({ pending: 0, error: null });
      expect(await found(markers(one, id))).toEqual([]);
      expect(await found([(await one.encryption.status()).stores[0]?.keyId ?? '', id])).toHaveLength(2);
      expect(one.world.projects.get(id).sync).toMatchObject({ state: 'synced' });

      await two.step();
      expect(two.world.projects.list(false)).toEqual([]);
      await two.encryption.unlock(phrase);
      await two.step();
      expect(two.world.projects.get(id)).toMatchObject({ name: 'Name Marker', settings: { exclude: { rules: ['settings-marker/**'] } }, head: { rev: 3, files: 1, leftOut: [{ path: 'left-out-marker', reason: 'rule' }] }, sync: { state: 'synced' } });
      expect(await contents(two, id)).toEqual(await contents(one, id));
      await save(two, id, 'file-marker.txt', 'content-marker of two');
      await two.step();
      await one.step();
      expect(await content(one, id)).toContain('content-marker of two');
      expect(await found(markers(one, id))).toEqual([]);
    });

    it('keeps both saves of two computers as it does unencrypted', async () => {
      const [one, two] = [await computer('one'), await computer('laptop-2')];
      const { phrase } = await turnOn(one);
      const { id } = await create(one, 'Shop');
      await one.step();
      await two.encryption.unlock(phrase);
      await two.step();
      for (let round = 0; round < 5; round += 1) {
        await save(one, id, 'a.txt', `one ${round}`);
        await save(two, id, 'a.txt', `two ${round}`);
        await Promise.all([one.step(), two.step()]);
        await Promise.all([one.step(), two.step()]);
        expect(one.world.projects.get(id).head?.sha256).toBe(two.world.projects.get(id).head?.sha256);
      }
      const revisions = two.world.history.list(id).revisions;
      expect([revisions.filter(({ branch }) => branch === undefined).length, revisions.filter(({ branch }) => branch !== undefined).length]).toEqual([6, 5]);
    });

    it('encrypts what was there before, so that nothing readable stays, and loses neither order nor branches', async () => {
      const [one, two] = [await computer('one'), await computer('laptop-2')];
      const { id } = await create(one, 'Name Marker');
      await save(one, id, 'file-marker.txt', 'content-marker 1');
      await one.step();
      await two.step();
      await save(one, id, 'file-marker.txt', 'content-marker 2');
      await save(two, id, 'file-marker.txt', 'content-marker of two');
      await one.step();
      await two.step();
      await one.step();
      expect((await found(markers(one, id))).length).toBeGreaterThan(5);
      // An upload that died before its row was written.
      const orphan = storedZip([{ name: 'file-marker.txt', data: 'content-marker orphan' }]);
      await one.raw.archives.put(id, Readable.from([orphan]), {});

      const { phrase, operation } = await turnOn(one);
      expect(operation).toMatchObject({ state: 'succeeded', kind: 'encrypt' });
      expect(await found([...markers(one, id), createHash('sha256').update(orphan).digest('hex')])).toEqual([]);
      expect(await rows(one, id)).toEqual([true, true, true, true]);
      expect(await one.step()).toMatchObject({ pushed: 0, pending: 0, error: null });
      expect(one.world.projects.get(id).sync).toMatchObject({ state: 'synced', conflict: null });

      const three = await computer('three');
      await three.encryption.unlock(phrase);
      await three.step();
      expect(await contents(three, id)).toEqual(await contents(one, id));
      expect(three.world.history.list(id).revisions.filter(({ branch }) => branch !== undefined)).toHaveLength(1);
      expect(three.world.projects.get(id).head?.sha256).toBe(one.world.projects.get(id).head?.sha256);
    });

    it.each(CRASHES)('goes on after it died at %s (%i), and never lacks a revision in between', async (point, passing) => {
      const one = await computer('one');
      const { id } = await create(one, 'Name Marker');
      await save(one, id, 'file-marker.txt', 'content-marker 1');
      await one.step();
      const before = await contents(one, id);
      let passed = 0;
      Object.assign(one.world.context.runtime, { fault: (at: string) => { if (at === point && (passed += 1) === passing) throw new VesselError('INTERNAL', 'died here'); } });
      const { phrase, operation } = await turnOn(one);
      expect(operation.state).toBe('failed');
      // Whoever looks now finds everything.
      const two = await computer('two');
      await two.encryption.unlock(phrase);
      await two.step();
      expect(await contents(two, id)).toEqual(before);
      await one.restart();
      expect(await one.encryption.status()).toMatchObject({ state: 'on', unfinished: 'encrypt' });
      expect((await one.encryption.resume().done).state).toBe('succeeded');
      expect(await one.encryption.status()).toMatchObject({ state: 'on', unfinished: null });
      expect(await found(markers(one, id))).toEqual([]);
      const three = await computer('three');
      await three.encryption.unlock(phrase);
      await three.step();
      expect(await contents(three, id)).toEqual(before);
    });

    it('is not lost when another computer saves while it is being encrypted', async () => {
      const [one, two] = [await computer('one'), await computer('two')];
      const { id } = await create(one, 'Name Marker');
      await one.step();
      await two.step();
      const { keyId, phrase, ask } = await one.encryption.begin();
      const words = (phrase ?? '').split(' ');
      await two.ring.keep(phrase ?? '');
      await save(two, id, 'file-marker.txt', 'content-marker saved meanwhile');
      const { done } = await one.encryption.turnOn(keyId, ask.map((place) => words[place - 1] ?? ''));
      await Promise.all([done, two.step()]);
      expect((await done).state).toBe('succeeded');
      await two.step();
      await one.step();
      if ((await rows(one, id)).includes(false)) await (await one.encryption.turnOn(keyId, [])).done;
      expect(await content(one, id)).toContain('content-marker saved meanwhile');
      expect(await found(markers(one, id))).toEqual([]);
      expect(await contents(two, id)).toEqual(await contents(one, id));
    });

    it('is brought in order by itself when a computer that did not know of it yet left something readable', async () => {
      const one = await computer('one');
      await turnOn(one);
      const { id } = await create(one, 'Shop');
      await one.step();
      await one.raw.index.insertProject({ id: 'left-over', name: 'Name Marker', template: null, settings: {}, createdAt: 1 });
      await one.step();
      expect(await found(['Name Marker'])).toHaveLength(1);
      one.encryption.looked(cloud.kind);
      const { operationId } = await one.encryption.status();
      expect(await one.world.context.operations.settled(operationId ?? '')).toMatchObject({ state: 'succeeded', kind: 'encrypt' });
      expect(await found(['Name Marker'])).toEqual([]);
      await one.step();
      one.encryption.looked(cloud.kind);
      expect(await one.encryption.status()).toMatchObject({ unfinished: null, operationId: null });
      expect(await rows(one, id)).toEqual([true]);
    });

    it('leaves a project as it is whose archive is damaged there and missing here, and encrypts the others', async () => {
      const one = await computer('one');
      const [broken, sound] = [await create(one, 'Broken'), await create(one, 'Name Marker')];
      await save(one, sound.id, 'file-marker.txt', 'content-marker');
      await one.step();
      const sha256 = broken.head?.sha256 ?? '';
      rmSync(one.world.cold.localPath(broken.id, sha256) ?? '');
      await account.damage(broken.id, sha256, Buffer.from('damaged'));
      expect((await turnOn(one)).operation).toMatchObject({ state: 'failed', error: { code: 'ARCHIVE_CORRUPT', details: { projects: [broken.id] } } });
      expect(await found(markers(one, sound.id))).toEqual(['settings-marker']);
      expect([await rows(one, broken.id), await rows(one, sound.id)]).toEqual([[false], [true, true]]);
      expect(await one.encryption.status()).toMatchObject({ state: 'on', unfinished: 'encrypt' });
      // The other tests look at the whole server.
      await one.raw.index.removeProject(broken.id);
    });

    it('is locked for a computer without the key: it says so, sends nothing, loses nothing, and goes on after unlocking', async () => {
      const [one, two] = [await computer('one'), await computer('two')];
      const { id } = await create(one, 'Shop');
      await one.step();
      await two.step();
      const { phrase } = await turnOn(one);
      await save(one, id, 'a.txt', 'sealed by one');
      await one.step();
      await save(two, id, 'a.txt', 'content-marker of two');
      await two.world.projects.update(id, { name: 'Name Marker' });
      const other = await create(two, 'Name Marker too');
      await two.step();
      expect(await two.encryption.status()).toMatchObject({ state: 'locked', stores: [{ state: 'locked', lockedProjects: 1 }] });
      expect(two.world.projects.get(id).sync).toMatchObject({ state: 'failed', error: { code: 'ENCRYPTION_LOCKED', hint: expect.stringContaining('unlock') as unknown } });
      expect(await found(['content-marker', 'Name Marker'])).toEqual([]);
      await expect(two.backend.archives.open(id, one.world.projects.get(id).head?.sha256 ?? '')).rejects.toThrow(code('ENCRYPTION_LOCKED'));
      await expect(two.encryption.begin()).rejects.toThrow(code('ENCRYPTION_LOCKED'));
      await expect(two.encryption.turnOff(true)).rejects.toThrow(code('ENCRYPTION_LOCKED'));

      const wrong = two.ring.make().phrase;
      await expect(two.encryption.unlock(wrong)).rejects.toThrow(code('ENCRYPTION_WRONG_KEY'));
      await expect(two.encryption.unlock(phrase.replace(/^\w+ /, ''))).rejects.toThrow(code('ENCRYPTION_PHRASE_INVALID'));
      expect(states(await two.encryption.status())).toEqual(['locked']);

      await two.encryption.unlock(phrase);
      await two.step();
      await two.step();
      expect(two.world.projects.get(id)).toMatchObject({ name: 'Name Marker', sync: { error: null, conflict: { branch: expect.stringContaining('two') as unknown } } });
      expect(await content(two, id)).toContain('sealed by one');
      await one.step();
      expect(one.world.projects.get(other.id).name).toBe('Name Marker too');
      expect(await found(['content-marker', 'Name Marker'])).toEqual([]);
    });

    it('is not turned on with words that are not those of the phrase, nor twice with two keys', async () => {
      const [one, two] = [await computer('one'), await computer('two')];
      const { keyId, ask } = await one.encryption.begin();
      expect(ask).toHaveLength(2);
      await expect(one.encryption.turnOn(keyId, ['wrong', 'words'])).rejects.toThrow(code('ENCRYPTION_NOT_CONFIRMED'));
      await expect(one.encryption.turnOn('f'.repeat(32), [])).rejects.toThrow(code('BAD_REQUEST'));
      expect(states(await one.encryption.status())).toEqual(['off']);
      const second = await two.encryption.begin();
      await turnOn(one);
      const words = (second.phrase ?? '').split(' ');
      await expect(two.encryption.turnOn(second.keyId, second.ask.map((place) => words[place - 1] ?? ''))).rejects.toThrow(code('CONFLICT'));
      // The phrase is shown once: who asks again is not told it.
      expect(await one.encryption.begin()).toMatchObject({ phrase: null, ask: [] });
    });

    it('stays readable after it was turned off, and becomes plain when that is asked for', async () => {
      const one = await computer('one');
      const { id } = await create(one, 'Name Marker');
      await turnOn(one);
      await one.step();
      await save(one, id, 'file-marker.txt', 'content-marker 1');
      await one.step();
      expect(await one.encryption.turnOff(false)).toBeNull();
      await save(one, id, 'file-marker.txt', 'content-marker 2');
      expect(await one.step()).toMatchObject({ pending: 0, error: null });
      expect(await rows(one, id)).toEqual([true, true, false]);
      const before = await contents(one, id);
      const operation = await (await one.encryption.turnOff(true))?.done;
      expect(operation).toMatchObject({ state: 'succeeded', kind: 'decrypt' });
      expect(await rows(one, id)).toEqual([false, false, false]);
      // Nobody needs the key any more.
      const two = await computer('two');
      await two.step();
      expect(await contents(two, id)).toEqual(before);
      expect(two.world.projects.get(id)).toMatchObject({ name: 'Name Marker' });
      expect(await one.encryption.begin()).toMatchObject({ phrase: null });
      expect((await turnOn(one)).operation.state).toBe('succeeded');
      expect(await found(markers(one, id))).toEqual([]);
    });

    it('removes what is pruned and what is removed for good, and nothing that is still named', async () => {
      const one = await computer('one');
      await turnOn(one);
      const { id } = await create(one, 'Shop');
      for (const text of ['same', 'other', 'same', 'last']) await save(one, id, 'a.txt', text);
      await one.step();
      expect(await one.raw.archives.list(id)).toHaveLength(4);
      await one.world.history.prune(id, { keepRevisions: 2 });
      await one.step();
      expect(await one.raw.archives.list(id)).toHaveLength(2);
      expect(await rows(one, id)).toEqual([true, true]);
      for (const { sha256 } of one.world.history.list(id).revisions) expect(await one.backend.archives.readBack(id, sha256)).toMatchObject({ sha256 });
      one.world.projects.delete(id);
      one.world.clock.now += 31 * 86_400_000;
      await one.world.projects.purge();
      await one.step();
      expect(await one.raw.archives.list(id)).toEqual([]);
    });
  });

  // After the others, which look at the whole server: some of it ends in plain.
  sealedPinContract(name, { computer, create: (one, projectName) => create(one as Computer, projectName), save: (one, ...rest) => save(one as Computer, ...rest), turnOn: (one) => turnOn(one as Computer), contents: (one, id) => contents(one as Computer, id), found });
}
