import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FsckReport } from '#shared/archive-contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Project } from '#shared/project.ts';
import { openLocalColdStore } from '../adapters/cold-local/cold-store.ts';
import { makeTieredColdStore } from '../adapters/cold-tiered/cold-store.ts';
import type { RemoteArchives } from '../ports/remote-store.ts';
import { checkStore, mirrorSource, siblingSource } from '../services/fsck.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
let folder: string;
beforeEach(async () => { world = await makeWorld(); folder = mkdtempSync(join(tmpdir(), 'vessel-fsck-')); });
afterEach(async () => { await world.dispose(); rmSync(folder, { recursive: true, force: true }); });
const create = (name = 'A'): Promise<Project> => world.projects.create({ name, template: 'node', hostId: 'local', settings: {} });

describe('fsck', () => {
  const check = async (repair: boolean, sources = [siblingSource(world.context)]): Promise<FsckReport> => (await checkStore({ context: world.context, sources }, undefined, repair).done).result as FsckReport;
  const pathOf = (project: Project): string => world.cold.localPath(project.id, project.head?.sha256 ?? '') ?? '';

  it('finds nothing in a sound store', async () => {
    await create();
    await create('B');
    expect(await check(true)).toMatchObject({ projects: 2, revisions: 2, archives: 2, findings: [], sound: true });
  });

  it('names what is lost, and removes nothing', async () => {
    const project = await create();
    await writeFile(pathOf(project), 'damaged');
    expect(await check(true)).toMatchObject({ sound: false, findings: [{ problem: 'damaged', outcome: 'lost', revs: [1] }] });
    expect(readFileSync(pathOf(project), 'utf8')).toBe('damaged');
    await rm(pathOf(project));
    expect(await check(true)).toMatchObject({ sound: false, findings: [{ problem: 'missing', outcome: 'lost' }] });
  });

  it('repairs from another project of the same content, and from a second store', async () => {
    const a = await create();
    const b = await create();
    await writeFile(pathOf(a), 'damaged');
    expect(await check(false)).toMatchObject({ sound: false, findings: [{ outcome: 'repairable' }] });
    expect(await check(true)).toMatchObject({ sound: true, findings: [{ outcome: 'repaired' }] });
    expect(await world.history.verify(a.id, 1)).toMatchObject({ ok: true });
    world.context.store.projects.remove(b.id);
    const mirror = await openLocalColdStore(join(folder, 'mirror'));
    await mirror.put(a.id, Readable.from([readFileSync(pathOf(a))]), {});
    await rm(pathOf(a));
    const away = { ...mirror, readBack: () => Promise.reject(new VesselError('CLOUD_OFFLINE')) };
    expect(await check(true, [mirrorSource('the cloud', () => away)])).toMatchObject({ sound: false, findings: [{ outcome: 'unknown', text: expect.stringContaining('the cloud could not be looked at') as unknown }] });
    expect(await check(true, [siblingSource(world.context), mirrorSource('the mirror', () => mirror)])).toMatchObject({ sound: true, findings: [{ problem: 'missing', outcome: 'repaired', projectId: a.id }] });
    expect(await world.history.verify(a.id, 1)).toMatchObject({ ok: true });
  });

  it('stays on this computer: what lies only in a cloud is counted, and needs no network', async () => {
    const [here, there] = [await create(), await create('B')];
    const record = { projectId: there.id, store: 'supabase', baseArchiveId: null, branch: null, stale: false, conflict: null, lease: null, error: null } as const;
    world.context.store.sync.put(record);
    await rm(pathOf(there));
    const remote = { download: () => Promise.reject(new VesselError('CLOUD_OFFLINE')) } as unknown as RemoteArchives;
    Object.assign(world.cold, makeTieredColdStore({ ...world.cold }, () => remote, join(folder, 'down')));
    expect(await check(true)).toMatchObject({ sound: true, findings: [], elsewhere: 1, archives: 1 });
    // Asked for, it is looked at, and a network that is off is no reason to call it sound.
    const { result, error } = await checkStore({ context: world.context, sources: [] }, undefined, true, { copies: true }).done;
    expect(error).toBeNull();
    expect(result).toMatchObject({ sound: false, elsewhere: 0, findings: [{ problem: 'unchecked', outcome: 'unknown', projectId: there.id, revs: [1] }] });
    expect(here.head).not.toBeNull();
  });

  it('writes lost manifests again and names archives that no revision does', async () => {
    const project = await create();
    await world.cold.removeManifest(project.id, 1);
    await world.cold.put(project.id, Readable.from([Buffer.from('left by a crash')]), {});
    expect((await check(true)).findings.map(({ problem, outcome }) => `${problem} ${outcome}`).sort()).toEqual(['manifest repaired', 'unused kept']);
    expect(await world.cold.manifests(() => undefined)).toHaveLength(1);
    expect(await world.cold.list(project.id)).toHaveLength(2);
  });

  it('takes a manifest that is still owed, as for what came from another computer, for no damage', async () => {
    const { id, head } = await create();
    if (head === null) throw new Error('no head');
    world.context.store.revisions.append({ ...head, reason: 'save' }, 1);
    expect((await check(false)).findings).toEqual([]);
    expect((await check(true)).findings).toEqual([]);
    expect((await world.cold.manifests(() => undefined)).filter(({ project }) => project.id === id).map(({ revision }) => revision.rev)).toEqual([1, 2]);
  });
});
