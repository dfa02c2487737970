import { describe, expect, it } from 'vitest';
import type { Operation } from '#shared/operation.ts';
import type { Project } from '#shared/project.ts';
import type { RemoteBackend } from '../ports/remote-store.ts';
import type { KeyRing } from '../adapters/sealed/key-ring.ts';
import type { Encryption } from '../services/cloud/encryption.ts';
import type { SyncReport } from '../services/cloud/sync.ts';
import type { World } from './world.ts';

type Computer = { readonly world: World; readonly raw: RemoteBackend; readonly ring: KeyRing; readonly encryption: Encryption; step(): Promise<SyncReport>; restart(): Promise<void> };
export type PinGiven = {
  computer(name: string): Promise<Computer>;
  create(one: Computer, name: string): Promise<Project>;
  save(one: Computer, projectId: string, file: string, data: string): Promise<void>;
  turnOn(one: Computer): Promise<{ readonly phrase: string; readonly operation: Operation }>;
  contents(one: Computer, projectId: string): Promise<readonly string[]>;
  /** Which of these words the cloud holds in plain. */
  found(words: readonly string[]): Promise<readonly string[]>;
};

const code = (name: string): unknown => expect.objectContaining({ code: name });
const CHANGES = {
  'the record was deleted': async ({ raw }: Computer): Promise<void> => { await raw.index.removeEncryption(); },
  'the record says off': async ({ raw }: Computer): Promise<void> => {
    const record = await raw.index.encryption();
    if (record === null) throw new Error('no record');
    // Whoever runs the cloud can write everything there but what the key says.
    expect(await raw.index.putEncryption({ keyId: record.keyId, enabled: false, proof: record.proof ?? '' }, record.rev)).toBe(true);
  },
} as const;

/** What a cloud can do to the record of the encryption: everything but make a computer upload in plain. */
export function sealedPinContract(name: string, { computer, create, save, turnOn, contents, found }: PinGiven): void {
  const MARK = ['pin-marker', 'Pin Name'];

  describe(`the encryption of an account over ${name}`, () => {
    it.each(Object.entries(CHANGES))('is not switched off by the cloud: %s', async (_what, change) => {
      const one = await computer('one');
      const { phrase } = await turnOn(one);
      const { id } = await create(one, 'Shop');
      await one.step();
      await change(one);
      await one.restart();
      await save(one, id, 'pin-marker.txt', 'pin-marker 1');
      await one.world.projects.update(id, { name: 'Pin Name' });
      expect(await one.step()).toMatchObject({ pushed: 0, pending: 2, error: { code: 'ENCRYPTION_CHANGED', hint: expect.stringMatching(/encryption off[^]*encryption on/) as unknown } });
      expect(await found(MARK)).toEqual([]);
      const status = await one.encryption.status();
      expect(status).toMatchObject({ state: 'changed', stores: [{ state: 'changed', error: { code: 'ENCRYPTION_CHANGED' } }] });
      expect(one.world.context.store.events.list({ limit: 100 }).filter(({ kind }) => kind === 'encryption.changed')).toHaveLength(1);

      // "On" goes on with the same key: no second phrase, and the first one stays right.
      const begun = await one.encryption.begin();
      expect(begun).toMatchObject({ phrase: null, keyId: status.stores[0]?.keyId });
      expect(await (await one.encryption.turnOn(begun.keyId, [])).done).toMatchObject({ state: 'succeeded' });
      expect(await one.step()).toMatchObject({ pending: 0, error: null });
      expect(await found(MARK)).toEqual([]);
      expect(await one.encryption.status()).toMatchObject({ state: 'on' });
      const two = await computer('two');
      await two.step();
      await two.encryption.unlock(phrase);
      await two.step();
      expect(await contents(two, id)).toEqual(await contents(one, id));
    });

    it.each(Object.entries(CHANGES))('ends when its person says so: %s', async (what, change) => {
      const one = await computer('one');
      await turnOn(one);
      const { id } = await create(one, 'Shop');
      await one.step();
      await change(one);
      await save(one, id, 'a.txt', `readable: ${what}`);
      expect(await one.step()).toMatchObject({ error: { code: 'ENCRYPTION_CHANGED' } });
      expect(await one.encryption.turnOff(false)).toBeNull();
      expect(await one.step()).toMatchObject({ pending: 0, error: null });
      expect(await found([`readable: ${what}`])).toHaveLength(1);
      expect(await one.encryption.status()).toMatchObject({ state: 'off' });
      await one.restart();
      expect(await one.step()).toMatchObject({ error: null });
    });

    it('is turned off for every computer by one that has the key, and not by an old word of it', async () => {
      const [one, two] = [await computer('one'), await computer('two')];
      const { phrase } = await turnOn(one);
      const { id } = await create(one, 'Shop');
      await one.step();
      await two.step();
      await two.encryption.unlock(phrase);
      await two.step();
      await one.encryption.turnOff(false);
      const off = await one.raw.index.encryption();
      await two.step();
      expect(await two.encryption.status()).toMatchObject({ state: 'off' });
      await turnOn(two);
      await one.step();
      expect(await one.encryption.status()).toMatchObject({ state: 'on' });
      // The cloud brings back what the key said once.
      const { rev = 0, keyId = '' } = await one.raw.index.encryption() ?? {};
      await one.raw.index.putEncryption({ keyId, enabled: false, proof: off?.proof ?? '' }, rev);
      for (const each of [one, two]) {
        await save(each, id, 'pin-marker.txt', 'pin-marker 2');
        expect(await each.step()).toMatchObject({ error: { code: 'ENCRYPTION_CHANGED' } });
      }
      expect(await found(MARK)).toEqual([]);
    });

    it('stops where it was on and the key is not here, and is not forgotten there', async () => {
      const [one, two] = [await computer('one'), await computer('two')];
      const { id } = await create(one, 'Shop');
      await one.step();
      await two.step();
      const { phrase } = await turnOn(one);
      await two.step();
      await one.raw.index.removeEncryption();
      await save(two, id, 'pin-marker.txt', 'pin-marker 3');
      expect(await two.step()).toMatchObject({ error: { code: 'ENCRYPTION_CHANGED' } });
      expect(await found(MARK)).toEqual([]);
      await two.encryption.unlock(phrase);
      expect(await two.encryption.status()).toMatchObject({ state: 'changed' });
    });

    it('may have had two keys: both are read, each with its phrase', async () => {
      const [one, two] = [await computer('one'), await computer('two')];
      const first = await turnOn(one);
      const { id } = await create(one, 'Shop');
      await save(one, id, 'a.txt', 'pin-marker by the first key');
      await one.step();
      await one.raw.index.removeEncryption();
      const second = await turnOn(two);
      expect(second.phrase).not.toBe(first.phrase);
      await save(one, id, 'a.txt', 'pin-marker by the second key');
      expect(await one.step()).toMatchObject({ error: { code: 'ENCRYPTION_CHANGED', hint: expect.stringContaining('unlock') as unknown } });
      await expect(one.encryption.unlock(one.ring.make().phrase)).rejects.toThrow(code('ENCRYPTION_WRONG_KEY'));
      await one.encryption.unlock(second.phrase);
      expect(await one.step()).toMatchObject({ pending: 0, error: null });
      await one.world.projects.update(id, { name: 'Pin Name' });
      expect(await one.step()).toMatchObject({ pending: 0, error: null });
      expect(new Set((await one.raw.index.archives(id)).map(({ sealed }) => sealed?.split('.')[1])).size).toBe(2);

      await two.encryption.unlock(first.phrase);
      await two.step();
      expect(two.world.projects.get(id)).toMatchObject({ name: 'Pin Name' });
      expect(await contents(two, id)).toEqual(await contents(one, id));
      expect(await found(MARK)).toEqual([]);
      await one.world.history.prune(id, { keepRevisions: 1 });
      await one.step();
      expect(await one.raw.archives.list(id)).toHaveLength(1);
      expect(await (await two.encryption.turnOff(true))?.done).toMatchObject({ state: 'succeeded' });
      expect(await found(MARK)).toEqual(MARK);
    });
  });
}
