import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { BackendEncryption } from '../ports/encryption.ts';
import type { RemoteBackend } from '../ports/remote-store.ts';
import { coldStoreContract } from '../adapters/cold-local/cold-store.contract.ts';
import { memorySecrets } from '../adapters/cold-supabase/testing/signed-in.ts';
import { makeKeyRing, type KeyRing } from '../adapters/sealed/key-ring.ts';
import { makeSealedBackend } from '../adapters/sealed/sealed-backend.ts';
import type { TestAccount, TestCloud } from '../adapters/sealed/testing/test-clouds.ts';
import { makeEncryptionPins } from '../services/cloud/encryption-pins.ts';
import { makeSealedNames } from '../services/cloud/sealed-names.ts';

type Sealed = RemoteBackend & { readonly encryption: BackendEncryption };
const code = (name: string): unknown => expect.objectContaining({ code: name });

/** What archives do when they are encrypted: all that every cold store does, and the transfers. Its caller starts the cloud. */
export function sealedArchivesContract(name: string, { cloud, account, folder }: { readonly cloud: () => TestCloud; readonly account: () => TestAccount; readonly folder: () => string }): void {
  /** A back end with encryption turned on, and nothing else around it. */
  async function sealedAlone(): Promise<{ readonly backend: Sealed; readonly raw: RemoteBackend; readonly ring: KeyRing }> {
    const raw = await account().device({ id: crypto.randomUUID(), name: 'alone' });
    const ring = makeKeyRing(memorySecrets());
    const facts = new Map<string, string>();
    const kept = { get: (key: string): string | null => facts.get(key) ?? null, put: (key: string, value: string | null): void => { if (value === null) facts.delete(key); else facts.set(key, value); } };
    const backend = makeSealedBackend(raw, { ring, names: makeSealedNames(kept), pins: makeEncryptionPins(kept, () => 'alone'), spool: join(folder(), 'spool') });
    await backend.encryption.set(await ring.keep(ring.make().phrase), true);
    return { backend, raw, ring };
  }
  const alone = new WeakMap<object, RemoteBackend>();
  coldStoreContract(`${name} with encryption`, {
    make: async () => { const { backend, raw } = await sealedAlone(); alone.set(backend.archives, raw); return backend.archives; },
    damage: async (store, projectId) => {
      const raw = alone.get(store);
      for (const { sha256 } of await raw?.archives.list(projectId) ?? []) await account().damage(projectId, sha256, Buffer.from('damaged'));
    },
  });

  describe(`an encrypted archive over ${name}`, () => {
    /** Two whole pieces of either cloud and a bit. */
    const bytes = randomBytes(17 * 1024 * 1024);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const file = (): { readonly path: string; readonly sha256: string; readonly bytes: number } => { const path = join(folder(), 'plain.zip'); writeFileSync(path, bytes); return { path, sha256, bytes: bytes.length }; };
    const isPiece = (method: string): boolean => method === 'PATCH' || method === 'PUT';

    it('goes on with an upload that was cut, with the same bytes: only what is missing is sent', async () => {
      const { backend, raw } = await sealedAlone();
      let seen = 0;
      cloud().faults.set(({ method }) => (isPiece(method) && seen++ >= 1 ? { kind: 'cut-upload', afterBytes: 0 } : null));
      await expect(backend.archives.upload('p', file(), {})).rejects.toThrow(code('CLOUD_OFFLINE'));
      expect(readdirSync(join(folder(), 'spool'))).toEqual([]);
      cloud().faults.clear();
      await backend.archives.upload('p', file(), {});
      expect(cloud().faults.seen.filter(({ method }) => isPiece(method)).length).toBeLessThan(3);
      expect(await backend.archives.readBack('p', sha256)).toEqual({ sha256, bytes: bytes.length });
      const [object] = await raw.archives.list('p');
      expect(await raw.archives.readBack('p', object?.sha256 ?? '')).toMatchObject({ sha256: object?.sha256 });
    });

    it('goes on with a download that was cut, and appears only whole', async () => {
      const { backend } = await sealedAlone();
      await backend.archives.upload('p', file(), {});
      const path = join(folder(), 'down.zip');
      cloud().faults.set(({ method, path: asked }) => (method === 'GET' && !asked.includes('/rest/') && !asked.includes('.json') ? { kind: 'cut-download', afterBytes: 9_000_000 } : null));
      const abort = new AbortController();
      await expect(backend.archives.download('p', sha256, path, { signal: abort.signal, onProgress: (at) => { if (at > 3_000_000) abort.abort(); } })).rejects.toThrow(code('CANCELLED'));
      expect(existsSync(path)).toBe(false);
      cloud().faults.clear();
      expect(await backend.archives.download('p', sha256, path, {})).toMatchObject({ sha256, bytes: bytes.length });
      const ranged = cloud().faults.seen.filter(({ headers }) => headers.range !== undefined);
      expect(ranged.length).toBeGreaterThan(0);
      expect(readdirSync(folder()).sort()).toEqual(['down.zip', 'plain.zip', 'spool']);
    });

    it('that was damaged, cut or exchanged for another one is called damaged, whatever reads it', async () => {
      const { backend, raw } = await sealedAlone();
      const small = { path: join(folder(), 'small.zip'), bytes: 100_000 };
      const parts = bytes.subarray(0, small.bytes);
      writeFileSync(small.path, parts);
      const hash = createHash('sha256').update(parts).digest('hex');
      await backend.archives.upload('p', { ...small, sha256: hash }, {});
      const [object] = await raw.archives.list('p');
      const sealed = await buffer(await raw.archives.open('p', object?.sha256 ?? ''));
      const flipped = Buffer.from(sealed);
      flipped[90_000] = (flipped[90_000] ?? 0) ^ 1;
      for (const content of [flipped, sealed.subarray(0, 70_000), sealed.subarray(0, 50), Buffer.concat([sealed, Buffer.from('x')]), randomBytes(100)]) {
        await account().damage('p', object?.sha256 ?? '', content);
        await expect(backend.archives.readBack('p', hash)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
        await expect(backend.archives.download('p', hash, join(folder(), 'x.zip'), {})).rejects.toThrow(code('ARCHIVE_CORRUPT'));
        await expect(backend.archives.open('p', hash).then((stream) => buffer(stream))).rejects.toThrow(code('ARCHIVE_CORRUPT'));
        expect(existsSync(join(folder(), 'x.zip'))).toBe(false);
      }
    });

    it('is never sealed under a name that its content does not have', async () => {
      const { backend, raw } = await sealedAlone();
      await expect(backend.archives.upload('p', { ...file(), sha256: 'a'.repeat(64) }, {})).rejects.toThrow(code('ARCHIVE_CORRUPT'));
      expect(await raw.archives.list('p')).toEqual([]);
    });
  });
}
