import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { ProjectSettingsSchema } from '#shared/project.ts';
import type { ArchiveStore, ColdStore, RevisionManifest } from '../../ports/cold-store.ts';

export type ColdStoreUnderTest = {
  /** A fresh, empty store. */
  readonly make: () => Promise<ArchiveStore>;
  /** Damages a stored archive on its medium, behind the store's back. */
  readonly damage: (store: ArchiveStore, projectId: string, sha256: string) => Promise<void>;
};

/** What every cold store must do, whatever it is made of. */
export function coldStoreContract(name: string, { make, damage }: ColdStoreUnderTest): void {
  const content = randomBytes(300_000);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const stream = (bytes: Buffer = content): Readable => Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)], { objectMode: false });
  const failing = (): Readable => Readable.from((async function* () { yield content.subarray(0, 1000); await Promise.resolve(); throw new Error('the source broke'); })(), { objectMode: false });

  describe(`${name} as a cold store`, () => {
    it('leaves nothing when the source breaks', async () => {
      const store = await make();
      await expect(store.put('p', failing(), {})).rejects.toThrow('the source broke');
      expect(await store.list('p')).toEqual([]);
    });
    it('leaves nothing when it is cancelled while the source is silent', async () => {
      const store = await make();
      const abort = new AbortController();
      const put = store.put('p', new Readable({ read: () => undefined }), { signal: abort.signal });
      setTimeout(() => abort.abort(), 20);
      await expect(put).rejects.toThrow(expect.objectContaining({ code: 'CANCELLED' }));
      expect(await store.list('p')).toEqual([]);
    });
    it('gives back exactly what was put, under its hash', async () => {
      const store = await make();
      expect(await store.put('p', stream(), {})).toMatchObject({ sha256, bytes: content.length });
      expect(await store.readBack('p', sha256)).toEqual({ sha256, bytes: content.length });
      expect((await buffer(await store.open('p', sha256))).equals(content)).toBe(true);
      expect(await store.list('p')).toEqual([expect.objectContaining({ sha256, bytes: content.length })]);
    });
    it('takes the same content again without a second copy, also at the same time', async () => {
      const store = await make();
      await Promise.all([store.put('p', stream(), {}), store.put('p', stream(), {}), store.put('p', stream(), {})]);
      expect(await store.list('p')).toHaveLength(1);
    });
    it('shows damage at reading back, and heals it when the same content is put again', async () => {
      const store = await make();
      await store.put('p', stream(), {});
      await damage(store, 'p', sha256);
      const found = await store.readBack('p', sha256).catch((error: unknown) => error);
      expect(found).not.toMatchObject({ sha256 });
      await store.put('p', stream(), {});
      expect(await store.readBack('p', sha256)).toMatchObject({ sha256 });
    });
    it('says NOT_FOUND for what it does not have', async () => {
      const store = await make();
      await expect(store.open('p', 'a'.repeat(64))).rejects.toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
      await expect(store.readBack('p', 'a'.repeat(64))).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT' }));
    });
    it('removes archives and whole projects, and does not mind if they are gone', async () => {
      const store = await make();
      await store.put('p', stream(), {});
      await store.remove('p', sha256);
      await store.remove('p', sha256);
      expect(await store.list('p')).toEqual([]);
      await store.put('p', stream(), {});
      await store.removeProject('p');
      await store.removeProject('p');
      expect(await store.list('p')).toEqual([]);
    });
  });
}

/** What a store that keeps manifests must do besides. */
export function manifestContract(name: string, make: () => Promise<ColdStore>): void {
  const sha256 = 'a'.repeat(64);
  describe(`${name} as a keeper of manifests`, () => {
    it('keeps a manifest per revision, the newest of equal ones', async () => {
      const store = await make();
      const manifest = (rev: number, projectName: string): RevisionManifest => ({
        v: 1, project: { id: 'p', name: projectName, template: 'node', createdAt: 1, settings: ProjectSettingsSchema.parse({}) },
        revision: { projectId: 'p', rev, parentRev: null, sha256, bytes: 1, files: 1, contentBytes: 1, reason: 'save', createdAt: 1, verifiedAt: 1, leftOut: [] },
      });
      await store.putManifest(manifest(2, 'two'));
      await store.putManifest(manifest(1, 'one'));
      await store.putManifest(manifest(2, 'renamed'));
      expect((await store.manifests(() => expect.unreachable())).map(({ revision, project }) => [revision.rev, project.name])).toEqual([[1, 'one'], [2, 'renamed']]);
      await store.removeManifest('p', 1);
      expect(await store.manifests(() => expect.unreachable())).toHaveLength(1);
    });
  });
}
