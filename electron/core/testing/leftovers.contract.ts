import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FsckReport } from '#shared/archive-contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { RemoteBackend } from '../ports/remote-store.ts';
import { checkStore } from '../services/fsck.ts';
import type { World } from './world.ts';

/** What a store must be able to for these tests. `age` makes an object two days old; `block` takes the network away; `damage` changes an object behind the server's back. */
export type LeftoversBench = { readonly backend: RemoteBackend; readonly world: World; sync(): Promise<unknown>; age(key: string): Promise<void>; block(on: boolean): void; damage(key: string): Promise<void>; has(key: string): Promise<boolean> };

/** Any cloud: what nobody needs is found and removed, and nothing else ever is. */
export function leftoversContract(name: string, setUp: () => Promise<LeftoversBench>): void {
  describe(`leftovers in ${name}`, () => {
    let bench: LeftoversBench;
    let folder: string;
    let projectId: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'vsl-leftovers-'));
      bench = await setUp();
      ({ id: projectId } = await bench.world.projects.create({ name: 'Shop', template: 'blank', hostId: 'local', settings: {} }));
      await bench.sync();
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    /** An upload whose computer died before it wrote the row. */
    const orphan = async (project = projectId): Promise<{ readonly sha256: string; readonly key: string }> => {
      const content = randomBytes(1000);
      const sha256 = createHash('sha256').update(content).digest('hex');
      await writeFile(join(folder, sha256), content);
      const { key } = await bench.backend.archives.upload(project, { path: join(folder, sha256), sha256, bytes: content.length }, {});
      return { sha256, key };
    };
    const check = async (sweep: boolean, leftovers = bench.backend.leftovers): Promise<FsckReport> => {
      if (leftovers === undefined) throw new Error('this back end tells no leftovers');
      const { error, result } = await checkStore({ context: bench.world.context, sources: [], clouds: () => [{ ...bench.backend, leftovers }] }, undefined, true, { sweep, copies: !sweep }).done;
      expect(error).toBeNull();
      return result as FsckReport;
    };
    const headKey = async (): Promise<string> => (await bench.backend.archives.list(projectId))[0]?.key ?? '';

    it('are named after a day and removed when asked, and nothing that a row names or that is younger', async () => {
      const named = await headKey();
      const [old, young, strange] = [await orphan(), await orphan(), await orphan('gone-abcd')];
      for (const key of [old.key, strange.key, named]) await bench.age(key);
      const found = [expect.objectContaining({ problem: 'leftover', outcome: 'kept', sha256: strange.sha256, projectId: 'gone-abcd' }), expect.objectContaining({ problem: 'leftover', outcome: 'kept', sha256: old.sha256, projectId })] as unknown[];
      const report = await check(false);
      expect(report.findings).toHaveLength(2);
      expect(report.findings).toEqual(expect.arrayContaining(found));
      expect(report.sound).toBe(true);
      expect((await check(true)).findings.map(({ outcome }) => outcome)).toEqual(['removed', 'removed']);
      expect(await Promise.all([old.key, strange.key, young.key, named].map((key) => bench.has(key)))).toEqual([false, false, true, true]);
      expect((await check(true)).findings).toEqual([]);
    });

    it('that another computer records in the same moment stay', async () => {
      const { sha256, key } = await orphan();
      await bench.age(key);
      const { leftovers, index } = bench.backend;
      if (leftovers === undefined) throw new Error('this back end tells no leftovers');
      const report = await check(true, {
        find: leftovers.find,
        remove: async (leftover) => {
          await index.insertArchive({ id: crypto.randomUUID(), projectId, parentId: null, branch: 'laptop-2', device: 'laptop-2', sha256, bytes: 1000, files: 1, contentBytes: 1000, leftOut: [], reason: 'save', savedAt: Date.now() });
          return leftovers.remove(leftover);
        },
      });
      expect(report.findings).toEqual([]);
      expect(await bench.has(key)).toBe(true);
    });

    it('are not looked for while the network is off, and the check of what is here goes on', async () => {
      await bench.age((await orphan()).key);
      bench.block(true);
      const report = await check(true).finally(() => bench.block(false));
      expect(report).toMatchObject({ sound: false, findings: [{ problem: 'unchecked', outcome: 'unknown' }], archives: 1 });
    });
  });

  describe(`copies in ${name}`, () => {
    let bench: LeftoversBench;
    let projectId: string;
    let key: string;
    beforeEach(async () => {
      bench = await setUp();
      ({ id: projectId } = await bench.world.projects.create({ name: 'Shop', template: 'blank', hostId: 'local', settings: {} }));
      await bench.sync();
      key = (await bench.backend.archives.list(projectId))[0]?.key ?? '';
    });
    const check = async (repair: boolean, backend = bench.backend): Promise<FsckReport> => {
      const { error, result } = await checkStore({ context: bench.world.context, sources: [], clouds: () => [backend] }, undefined, repair, { copies: true }).done;
      expect(error).toBeNull();
      return result as FsckReport;
    };

    it('are fetched and compared, and a damaged one is sent again though a revision names it', async () => {
      expect((await check(true)).findings).toEqual([]);
      await bench.damage(key);
      expect(await check(false)).toMatchObject({ sound: false, findings: [{ problem: 'damaged', outcome: 'repairable', revs: [1], projectId }] });
      expect(await check(true)).toMatchObject({ sound: true, findings: [{ problem: 'damaged', outcome: 'repaired', revs: [1] }] });
      expect((await check(true)).findings).toEqual([]);
    });

    it('are lost when this computer has no sound one either, and that is said', async () => {
      await bench.damage(key);
      const { sha256 = '' } = bench.world.projects.get(projectId).head ?? {};
      await bench.world.cold.remove(projectId, sha256);
      const { findings, sound } = await check(true);
      expect(sound).toBe(false);
      expect(findings.map(({ problem, outcome }) => `${problem} ${outcome}`)).toEqual(['missing lost', 'damaged lost']);
    });

    it('are not looked at while the network is off, and that is a finding', async () => {
      await bench.damage(key);
      bench.block(true);
      expect(await check(true).finally(() => bench.block(false))).toMatchObject({ sound: false, findings: [{ problem: 'unchecked', outcome: 'unknown' }] });
    });

    it('are looked at although one of them cannot be, and that is a finding', async () => {
      await bench.damage(key);
      const { sha256: other } = (await bench.world.projects.create({ name: 'Other', template: 'node', hostId: 'local', settings: {} })).head ?? {};
      await bench.sync();
      const { archives } = bench.backend;
      // As a server does whose disk lost it.
      const ill = { ...bench.backend, archives: { ...archives, readBack: (project: string, sha256: string) => (sha256 === other ? Promise.reject(new VesselError('CLOUD_FAILED', 'Internal Server Error')) : archives.readBack(project, sha256)) } };
      const { findings, sound } = await check(false, ill);
      expect(sound).toBe(false);
      expect(findings.map(({ problem, outcome }) => `${problem} ${outcome}`).sort()).toEqual(['damaged repairable', 'unchecked unknown']);
    });

    it('are missing after another computer removed the project, and the next sync says that it rests here only', async () => {
      await bench.backend.archives.removeProject(projectId);
      await bench.backend.index.removeProject(projectId);
      expect(await check(true)).toMatchObject({ sound: false, findings: [{ problem: 'missing', outcome: 'repairable', projectId }] });
      expect(bench.world.projects.get(projectId).sync).toMatchObject({ state: 'synced' });
      await bench.sync();
      expect(bench.world.projects.get(projectId).sync).toBeUndefined();
      expect(await check(true)).toMatchObject({ sound: true, findings: [] });
    });
  });
}
