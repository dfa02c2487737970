import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StateEvent } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { TEMPLATE_IDS } from '#shared/project.ts';
import { oddZip } from '../adapters/archive/odd-zip.fixture.ts';
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
const writeZip = (entries: Parameters<typeof storedZip>[0]): string => { const path = join(folder, `${crypto.randomUUID()}.zip`); writeFileSync(path, storedZip(entries)); return path; };
/** Follows the state feed as a window does; answers which projects it would show. */
function watching(): () => readonly string[] {
  const shown = new Set<string>();
  void (async () => {
    for await (const event of world.context.feed.watch(never)) {
      if (event.kind === 'snapshot') for (const { id } of event.projects) shown.add(id);
      if (event.kind === 'project') shown.add(event.project.id);
      if (event.kind === 'project-removed') shown.delete(event.projectId);
    }
  })();
  return () => [...shown];
}
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
      const { projectId, operationId } = await imports.fromPath(path, undefined, 'local', 'strip');
      expect(await world.context.operations.settled(operationId)).toMatchObject({ state: 'succeeded', result: { projectId, rev: 1 } });
      expect(world.projects.get(projectId)).toMatchObject({ name: 'site', head: { files: 1, reason: 'import' } });
    }
    await expect(imports.fromPath(join(folder, 'nothing'), undefined, 'local', 'strip')).rejects.toThrow(code('NOT_FOUND'));
    await expect(imports.fromPath('~/no such folder of mine', undefined, 'local', 'strip')).rejects.toThrow(expect.objectContaining({ code: 'NOT_FOUND', message: expect.stringContaining(homedir()) as unknown }));
    await expect(imports.fromPath('relative', undefined, 'local', 'strip')).rejects.toThrow(code('BAD_REQUEST'));
  });

  it('leave neither project nor upload behind when the zip is hostile', async () => {
    const imports = new Imports(world.context, world.projects);
    const { projectId, operationId } = await imports.fromUpload(Readable.from([storedZip([{ name: '../evil', data: 'x' }])]), 'evil', 'local', 'strip', never);
    expect(await world.context.operations.settled(operationId)).toMatchObject({ state: 'failed', error: { code: 'ARCHIVE_UNSAFE' } });
    expect(world.context.store.projects.get(projectId)).toBeNull();
    expect(world.projects.list(true)).toEqual([]);
  });

  it.each([
    ['an empty zip', () => writeZip([]), 'BAD_REQUEST'],
    ['a folder of empty folders', () => { mkdirSync(join(folder, 'hollow', 'a', 'b'), { recursive: true }); return join(folder, 'hollow'); }, 'BAD_REQUEST'],
    ['a name that no system can make', () => writeZip([{ name: 'n'.repeat(304), data: 'x' }]), 'ARCHIVE_UNSAFE'],
    ['content that fails its checksum', () => { const path = writeZip([{ name: 'a', data: 'precious' }]); const bytes = readFileSync(path); bytes.write('P', bytes.indexOf('precious')); writeFileSync(path, bytes); return path; }, 'ARCHIVE_CORRUPT'],
  ])('leave no project behind for %s, and say so to those who watch', async (_what, make, expected) => {
    const seen = watching();
    const imports = new Imports(world.context, world.projects);
    const { projectId, operationId } = await imports.fromPath(make(), undefined, 'local', 'strip');
    expect(await world.context.operations.settled(operationId)).toMatchObject({ state: 'failed', error: { code: expected } });
    expect(world.projects.list(true)).toEqual([]);
    expect(await world.cold.list(projectId)).toEqual([]);
    await expect.poll(() => seen()).toEqual([]);
  });

  it('leave no project behind when they are cancelled, when the disk is full, and when the archive does not read back', async () => {
    const imports = new Imports(world.context, world.projects);
    const seen = watching();
    const path = writeZip([{ name: 'a', data: 'x'.repeat(3_000_000) }]);
    const put = world.cold.put.bind(world.cold);
    const attempts: readonly (readonly [Partial<World['cold']>, unknown])[] = [
      [{ put: () => Promise.reject(new VesselError('DISK_FULL')) }, { state: 'failed', error: { code: 'DISK_FULL' } }],
      [{ put, readBack: () => Promise.resolve({ sha256: '0'.repeat(64), bytes: 0 }) }, { state: 'failed', error: { code: 'SAVE_NOT_VERIFIED' } }],
      [{ put: async (id, content, options) => { world.context.operations.cancel(world.context.operations.active(id, null)?.id ?? ''); return put(id, content, options); } }, { state: 'cancelled' }],
    ];
    for (const [broken, outcome] of attempts) {
      Object.assign(world.cold, broken);
      const { projectId, operationId } = await imports.fromPath(path, undefined, 'local', 'strip');
      expect(await world.context.operations.settled(operationId)).toMatchObject(outcome as object);
      expect(world.projects.list(true)).toEqual([]);
      expect(await world.cold.list(projectId)).toEqual([]);
    }
    await expect.poll(() => seen()).toEqual([]);
  });

  it('are there when only the manifest of their revision could not be written: housekeeping writes it', async () => {
    const putManifest = world.cold.putManifest.bind(world.cold);
    Object.assign(world.cold, { putManifest: () => Promise.reject(new VesselError('DISK_FULL')) });
    const { projectId, operationId } = await new Imports(world.context, world.projects).fromPath(writeZip([{ name: 'a', data: 'x' }]), undefined, 'local', 'strip');
    expect(await world.context.operations.settled(operationId)).toMatchObject({ state: 'succeeded' });
    expect(world.projects.get(projectId).head).toMatchObject({ rev: 1, files: 1 });
    Object.assign(world.cold, { putManifest });
    await healManifests(world.context);
    expect(world.context.store.revisions.withoutManifest()).toEqual([]);
  });

  it('that a dying Vessel cut off are gone after the next start', async () => {
    const put: World['cold']['put'] = (_id, _content, { signal }) => new Promise((_resolve, reject) => {
      const end = (): void => reject(new VesselError('CANCELLED'));
      if (signal?.aborted === true) end();
      else signal?.addEventListener('abort', end, { once: true });
    });
    Object.assign(world.cold, { put });
    const { projectId } = await new Imports(world.context, world.projects).fromPath(writeZip([{ name: 'a', data: 'x' }]), undefined, 'local', 'strip');
    world = await world.reborn();
    expect(await world.projects.purge()).toEqual([projectId]);
    expect(world.projects.list(true)).toEqual([]);
  });

  it('take the content of a single top folder unless told to keep it', async () => {
    const imports = new Imports(world.context, world.projects);
    const path = join(folder, 'repo.zip');
    writeFileSync(path, oddZip([{ name: 'repo-main/README.md', content: 'hi' }]));
    for (const [topFolder, name] of [['strip', 'README.md'], ['keep', 'repo-main']] as const) {
      const { projectId, operationId } = await imports.fromPath(path, undefined, 'local', topFolder);
      await world.context.operations.settled(operationId);
      expect((await world.offline.archives.use(projectId, undefined, never, (archive) => Promise.resolve(archive.children('').map((entry) => entry.path))))).toEqual([name]);
    }
  });

  it('refuse an upload over the limit', async () => {
    const settings = world.context.store.settings.get();
    world.context.store.settings.put({ ...settings, limits: { ...settings.limits, maxArchiveBytes: 1000 } });
    await expect(new Imports(world.context, world.projects).fromUpload(Readable.from([Buffer.alloc(2000)]), 'large', 'local', 'strip', never)).rejects.toThrow(code('ARCHIVE_TOO_LARGE'));
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
