import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StateEvent } from '#shared/contract.ts';
import { TEMPLATE_IDS } from '#shared/project.ts';
import { storedZip } from '../adapters/archive/stored-zip.fixture.ts';
import { openStore } from '../adapters/sqlite/store.ts';
import { makeWorld, type World } from './world.ts';
import { Imports } from '../services/imports.ts';
import { healManifests, reindex, sweepArchives } from '../services/reindex.ts';

let world: World;
let folder: string;
beforeEach(async () => { world = await makeWorld(); folder = mkdtempSync(join(tmpdir(), 'vessel-projects-')); });
afterEach(async () => { await world.dispose(); rmSync(folder, { recursive: true, force: true }); });
const code = (name: string): unknown => expect.objectContaining({ code: name });
const never = new AbortController().signal;
const create = (name = 'A'): ReturnType<World['projects']['create']> => world.projects.create({ name, template: 'node', hostId: 'local', settings: {} });

describe('projects', () => {
  it.each(TEMPLATE_IDS)('can be made from the template %s, with a verified first revision and a README', async (template) => {
    const project = await world.projects.create({ name: 'Größe & <Co>', template, hostId: 'local', settings: {} });
    expect(project).toMatchObject({ template, head: { rev: 1, reason: 'create', parentRev: null }, environment: null, activeOperationId: null });
    expect(project.head?.files).toBeGreaterThan(0);
    expect(await world.history.verify(project.id, 1)).toMatchObject({ ok: true });
    expect(project.id).toMatch(/^gro-?e-co-[a-z2-9]{4}$/);
  });

  it('leave nothing behind when their first revision cannot be written', async () => {
    Object.assign(world.cold, { readBack: async () => ({ sha256: '0'.repeat(64), bytes: 0 }) });
    await expect(create()).rejects.toThrow(code('SAVE_NOT_VERIFIED'));
    expect(world.projects.list(true)).toEqual([]);
  });

  it('are not taken for unfinished ones while they are made', async () => {
    const made = create();
    await world.projects.purge();
    const { id } = await made;
    expect(await world.projects.purge()).toEqual([]);
    expect(await world.history.verify(id, 1)).toMatchObject({ ok: true });
  });

  it('are removed when a Vessel that ended left them without a first revision', async () => {
    const id = world.projects.insert({ name: 'Unborn', template: null, hostId: 'local', settings: {} });
    expect(await world.projects.purge()).toEqual([id]);
  });

  it('refuse a host that does not exist', async () => {
    await expect(world.projects.create({ name: 'A', template: 'node', hostId: 'mars', settings: {} })).rejects.toThrow(code('NOT_FOUND'));
  });

  it('change only the settings that are given', async () => {
    const { id } = await world.projects.create({ name: 'A', template: 'node', hostId: 'local', settings: { tier: 'small' } });
    expect(await world.projects.update(id, { name: 'B', settings: { idleMinutes: 7 } })).toMatchObject({ name: 'B', settings: { tier: 'small', idleMinutes: 7, autosaveMinutes: 5 } });
  });

  it('are not deleted while they run; come back within 30 days; are purged after', async () => {
    const { id } = await world.opened();
    expect(() => world.projects.delete(id)).toThrow(code('ILLEGAL_TRANSITION'));
    await world.environments.close(id).done;
    world.projects.delete(id);
    expect(world.projects.list(false)).toEqual([]);
    expect(() => world.environments.open(id)).toThrow(code('NOT_FOUND'));
    world.clock.now += 29 * 86_400_000;
    expect(await world.projects.purge()).toEqual([]);
    expect(world.projects.undelete(id).deletedAt).toBeNull();
    world.projects.delete(id);
    world.clock.now += 31 * 86_400_000;
    expect(await world.projects.purge()).toEqual([id]);
    expect(world.projects.list(true)).toEqual([]);
    expect(await world.cold.list(id)).toEqual([]);
  });
});

describe('history', () => {
  it('restores by moving the pointer: a new revision, the same archive', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'x');
    await world.environments.close(id).done;
    const first = world.history.revision(id, 1);
    expect(await world.history.restore(id, 1).done).toMatchObject({ state: 'succeeded', result: { rev: 3, parentRev: 2, sha256: first.sha256, reason: 'restore' } });
    expect(await world.cold.list(id)).toHaveLength(2);
    expect(world.history.list(id).totalBytes).toBe(first.bytes + world.history.revision(id, 2).bytes);
    await world.history.prune(id, { keepRevisions: 1 });
    expect(world.history.list(id).revisions.map(({ rev }) => rev)).toEqual([3]);
    expect(await world.history.verify(id, undefined)).toMatchObject({ ok: true });
  });

  it('does not restore while it runs, nor from a damaged archive', async () => {
    const { id } = await world.opened();
    expect(() => world.history.restore(id, 1)).toThrow(code('ILLEGAL_TRANSITION'));
    await world.environments.close(id).done;
    await writeFile(world.cold.localPath(id, world.history.revision(id, 1).sha256) ?? '', 'damaged');
    expect(await world.history.restore(id, 1).done).toMatchObject({ error: { code: 'ARCHIVE_CORRUPT' } });
    expect(world.state(id).head).toBe(1);
    expect(await world.history.verify(id, 1)).toMatchObject({ ok: false });
  });

  it('exports a checked copy, and no file at all when the archive is damaged', async () => {
    const { id, head } = await create();
    const path = join(folder, 'copy.zip');
    expect(await world.history.exportTo(id, undefined, path, never)).toMatchObject({ rev: 1, sha256: head?.sha256 });
    expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(head?.sha256);
    await writeFile(world.cold.localPath(id, head?.sha256 ?? '') ?? '', 'damaged');
    await expect(world.history.exportTo(id, 1, join(folder, 'bad.zip'), never)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
    expect(await readdir(folder)).toEqual(['copy.zip']);
    await expect(buffer((await world.history.open(id, null)).content)).rejects.toThrow(code('ARCHIVE_CORRUPT'));
  });
});

describe('imports', () => {
  it('make a project of a folder and of a zip', async () => {
    const imports = new Imports(world.context, world.projects);
    mkdirSync(join(folder, 'site'));
    writeFileSync(join(folder, 'site', 'index.html'), '<p>hi');
    writeFileSync(join(folder, 'site.zip'), storedZip([{ name: 'index.html', data: '<p>hi' }]));
    for (const path of [join(folder, 'site'), join(folder, 'site.zip')]) {
      const { projectId, operationId } = await imports.fromPath(path, undefined, 'local');
      expect(await world.context.operations.settled(operationId)).toMatchObject({ state: 'succeeded', result: { projectId, rev: 1 } });
      expect(world.projects.get(projectId)).toMatchObject({ name: 'site', head: { files: 1, reason: 'import' } });
    }
    await expect(imports.fromPath(join(folder, 'nothing'), undefined, 'local')).rejects.toThrow(code('NOT_FOUND'));
    await expect(imports.fromPath('relative', undefined, 'local')).rejects.toThrow(code('BAD_REQUEST'));
  });

  it('leave neither project nor upload behind when the zip is hostile', async () => {
    const imports = new Imports(world.context, world.projects);
    const { projectId, operationId } = await imports.fromUpload(Readable.from([storedZip([{ name: '../evil', data: 'x' }])]), 'evil', 'local', never);
    expect(await world.context.operations.settled(operationId)).toMatchObject({ state: 'failed', error: { code: 'ARCHIVE_UNSAFE' } });
    expect(world.context.store.projects.get(projectId)).toBeNull();
    expect(world.projects.list(true)).toEqual([]);
  });

  it('refuse an upload over the limit', async () => {
    const settings = world.context.store.settings.get();
    world.context.store.settings.put({ ...settings, limits: { ...settings.limits, maxArchiveBytes: 1000 } });
    await expect(new Imports(world.context, world.projects).fromUpload(Readable.from([Buffer.alloc(2000)]), 'large', 'local', never)).rejects.toThrow(code('ARCHIVE_TOO_LARGE'));
  });
});

describe('the state feed', () => {
  it('begins with everything and then tells single changes, the newest only', async () => {
    const { id } = await create();
    const abort = new AbortController();
    const events: StateEvent[] = [];
    // The reader is busy with its first event until all changes are made, however slow the machine.
    const begun = Promise.withResolvers<void>();
    const changed = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    const reading = (async () => {
      for await (const event of world.context.feed.watch(abort.signal)) {
        events.push(event);
        if (events.length === 1) {
          begun.resolve();
          await changed.promise;
        }
        if (event.kind === 'project' && event.project.name === 'name 19') told.resolve();
      }
    })();
    await begun.promise;
    for (let index = 0; index < 20; index += 1) await world.projects.update(id, { name: `name ${index}` });
    changed.resolve();
    await told.promise;
    abort.abort();
    await reading;
    expect(events[0]).toMatchObject({ kind: 'snapshot', projects: [{ id }] });
    expect(events.slice(1).filter((event) => event.kind === 'project')).toMatchObject([{ project: { name: 'name 19' } }]);
  });
});

describe('a lost database', () => {
  it('is rebuilt from the cold store: projects, names, settings and every revision that still has its archive', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'x');
    await world.environments.close(id).done;
    await world.projects.update(id, { name: 'Renamed', settings: { tier: 'large' } });
    const path = join(folder, 'fresh.db');
    const store = openStore(path);
    store.hosts.put({ id: 'local', name: 'x', kind: 'local', status: 'unknown', facts: null, factsAt: null });
    expect(await reindex({ ...world.context, store })).toBe(1);
    expect(store.projects.get(id)).toMatchObject({ name: 'Renamed', settings: { tier: 'large' }, head: { rev: 2 } });
    expect(store.revisions.list(id)).toHaveLength(2);
    store.close();
    await rm(path);
  });

  it('does not miss a revision whose manifest a crash prevented', async () => {
    const { id, head } = await create();
    if (head === null) throw new Error('no head');
    world.context.store.revisions.append({ ...head, reason: 'save' }, 1);
    await healManifests(world.context);
    expect((await world.cold.manifests(() => undefined)).map(({ revision }) => revision.rev)).toEqual([1, 2]);
    expect(world.projects.get(id).head?.rev).toBe(2);
  });
});

describe('an archive that no revision names', () => {
  it('is swept where everything rests, and kept beside a running or dead environment', async () => {
    const resting = await create();
    const { id } = await world.opened();
    for (const projectId of [resting.id, id]) await world.cold.put(projectId, Readable.from([Buffer.from('left by a crash')]), {});
    expect(await sweepArchives(world.context, () => false)).toBe(1);
    expect(await world.cold.list(resting.id)).toHaveLength(1);
    expect(await world.cold.list(id)).toHaveLength(2);
    world.host.vms.clear();
    await world.environments.watch();
    expect(world.state(id).state).toBe('error');
    expect(await sweepArchives(world.context, () => false)).toBe(0);
    expect(await world.history.verify(resting.id, 1)).toMatchObject({ ok: true });
  });
});
