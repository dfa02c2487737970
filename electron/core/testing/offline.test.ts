import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SearchItem } from '#shared/archive-contract.ts';
import type { StateEvent } from '#shared/contract.ts';
import type { Project, Revision } from '#shared/project.ts';
import { DRAFT_SAVE_PAUSE_MS } from '#shared/draft-contract.ts';
import { textVersion } from '#shared/text-version.ts';
import { checkStore } from '../services/fsck.ts';
import { fakeRemote, type FakeRemote } from '../adapters/safe-copies/fake-remote.fixture.ts';
import { copiesSource, openCopies } from '../adapters/safe-copies/open-copies.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
let folder: string;
beforeEach(async () => { world = await makeWorld(); folder = mkdtempSync(join(tmpdir(), 'vessel-offline-')); });
afterEach(async () => { await world.dispose(); rmSync(folder, { recursive: true, force: true }); });
const code = (name: string): unknown => expect.objectContaining({ code: name });
const context = { signal: new AbortController().signal };
const calls = (): ReturnType<World['offline']['handlers']>['calls'] => world.offline.handlers().calls;
const create = (name = 'A'): Promise<Project> => world.projects.create({ name, template: 'node', hostId: 'local', settings: {} });
const put = (projectId: string, path: string, text: string | null, baseRev: number): ReturnType<World['offline']['drafts']['put']> => world.offline.drafts.put(projectId, path, text, baseRev);
const save = async (projectId: string): Promise<Revision> => {
  const { error, result } = await world.offline.drafts.save(projectId).done;
  if (error !== null) throw new Error(`${error.code} ${error.message}`);
  return result as Revision;
};
const text = async (projectId: string, path: string, rev?: number): Promise<string | null> => {
  const { content } = await calls()['archive.file']({ projectId, path, maxBytes: 1_000_000, ...(rev === undefined ? {} : { rev }) }, context);
  return content.form === 'text' ? content.text : null;
};
const search = async (projectId: string, query: object): Promise<SearchItem[]> => {
  const items: SearchItem[] = [];
  const options = { projectId, query: '', in: 'both', caseSensitive: false, wholeWord: false, folder: '', limit: 500, ...query } as const;
  for await (const item of world.offline.handlers().streams['archive.search'](options, context)) items.push(item);
  return items;
};

describe('looking into a revision', () => {
  it('lists folders, page by page, and shows files of any revision', async () => {
    const { id } = await create();
    await put(id, 'src/a.txt', 'one', 1);
    await save(id);
    const page = { projectId: id, folder: '', limit: 2 } as const;
    const first = await calls()['archive.tree'](page, context);
    expect(first).toMatchObject({ rev: 2, more: true, entries: [{ path: '.vscode', kind: 'folder' }, { path: 'src', kind: 'folder' }] });
    const rest = await calls()['archive.tree']({ ...page, limit: 100, after: first.entries[1]?.path ?? '' }, context);
    expect(rest.entries.map(({ path }) => path)).toContain('package.json');
    expect(await text(id, 'src/a.txt')).toBe('one');
    await expect(text(id, 'src/a.txt', 1)).rejects.toThrow(code('NOT_FOUND'));
    await expect(text(id, 'package.json', 9)).rejects.toThrow(code('NOT_FOUND'));
  });

  it('finds names and lines, whole words and exact case when asked, and says what it left out', async () => {
    const { id } = await create();
    await put(id, 'notes/Apple pie.md', 'An apple a day.\r\nPineapple\nno fruit\nÄPFEL apple', 1);
    await save(id);
    const found = await search(id, { query: 'apple' });
    expect(found.filter(({ kind }) => kind === 'name')).toMatchObject([{ path: 'notes/Apple pie.md', start: 6, length: 5 }]);
    expect(found.filter(({ kind }) => kind === 'line')).toMatchObject([{ line: 1, column: 4, text: 'An apple a day.' }, { line: 2, column: 5 }, { line: 4, column: 7 }]);
    expect((await search(id, { query: 'apple', wholeWord: true, in: 'contents' })).filter(({ kind }) => kind === 'line')).toMatchObject([{ line: 1 }, { line: 4 }]);
    expect((await search(id, { query: 'Apple', caseSensitive: true, in: 'contents' })).filter(({ kind }) => kind === 'line')).toEqual([]);
    expect((await search(id, { query: 'e', limit: 3 })).at(-1)).toMatchObject({ kind: 'end', hits: 3, limited: true });
    expect((await search(id, { query: '.*(', in: 'contents' })).at(-1)).toMatchObject({ hits: 0, limited: false });
  });

  it('ends a search that nobody waits for any more', async () => {
    const { id } = await create();
    const abort = new AbortController();
    abort.abort();
    const items = world.offline.handlers().streams['archive.search']({ projectId: id, query: 'e', in: 'contents', caseSensitive: false, wholeWord: false, folder: '', limit: 9 }, { signal: abort.signal });
    await expect((async () => { for await (const item of items) void item; })()).rejects.toThrow(code('CANCELLED'));
  });

  it('copies files out, and says it in the audit', async () => {
    const { id } = await create();
    expect(await calls()['archive.copyOut']({ projectId: id, paths: ['package.json'], to: join(folder, 'out') }, context)).toMatchObject({ files: 1, rev: 1 });
    expect(JSON.parse(readFileSync(join(folder, 'out', 'package.json'), 'utf8'))).toMatchObject({});
    expect(world.context.store.events.list({ projectId: id, limit: 1 })[0]).toMatchObject({ kind: 'revision.copied' });
  });
});

describe('a scan before something leaves this computer', () => {
  it('names secrets by their place and form, never in full, and files that are too large', async () => {
    const { id } = await create();
    const secret = `ghp_${'A1b2C3d4E5f6'.repeat(3)}`;
    await put(id, '.env', `TOKEN=${secret}\n`, 1);
    await put(id, 'data.txt', 'x'.repeat(5000), 1);
    await save(id);
    const scan = await calls()['archive.scan']({ projectId: id, maxFileBytes: 4000 }, context);
    expect(scan.secrets).toMatchObject([{ path: '.env', kind: 'environment file', line: null }, { path: '.env', kind: 'GitHub token', line: 1 }]);
    expect(scan.large).toEqual([{ path: 'data.txt', size: 5000 }]);
    expect(JSON.stringify(scan)).not.toContain(secret);
    expect((await calls()['archive.scan']({ projectId: id, rev: 1 }, context)).secrets).toEqual([]);
  });
});

describe('comparing and restoring', () => {
  it('tells what was added, removed and changed, and shows lines', async () => {
    const { id } = await create();
    await put(id, 'a.txt', 'one\ntwo\nthree\n', 1);
    await save(id);
    await put(id, 'a.txt', 'one\n2\nthree\n', 2);
    await put(id, 'b.txt', 'new', 2);
    await put(id, 'README.md', null, 2);
    await save(id);
    const diff = await calls()['history.diff']({ projectId: id, from: 2, to: 3, limit: 100 }, context);
    expect(diff.counts).toEqual({ added: 1, removed: 1, changed: 1, mode: 0 });
    expect(diff.changes.map(({ path, change }) => `${change} ${path}`)).toEqual(['removed README.md', 'changed a.txt', 'added b.txt']);
    const { diff: lines } = await calls()['history.diffFile']({ projectId: id, from: 2, to: 3, path: 'a.txt', context: 0 }, context);
    expect(lines).toMatchObject({ form: 'text', added: 1, removed: 1, hunks: [{ oldStart: 2, lines: ['-two', '+2'] }] });
  });

  it('restores one file or one folder into a new revision and leaves the rest', async () => {
    const { id } = await create();
    for (const [path, content] of [['d/x', '1'], ['d/y', '1'], ['other', '1']] as const) await put(id, path, content, 1);
    await save(id);
    await put(id, 'd/x', '2', 2);
    await put(id, 'd/z', 'added', 2);
    await put(id, 'd/y', null, 2);
    await put(id, 'other', '2', 2);
    await save(id);
    const { operationId } = await calls()['history.restoreFiles']({ projectId: id, rev: 2, paths: ['d/'] }, context);
    expect(await world.context.operations.settled(operationId)).toMatchObject({ state: 'succeeded', result: { rev: 4, reason: 'restore', parentRev: 3 } });
    expect(await text(id, 'd/x')).toBe('1');
    expect(await text(id, 'd/y')).toBe('1');
    await expect(text(id, 'd/z')).rejects.toThrow(code('NOT_FOUND'));
    expect(await text(id, 'other')).toBe('2');
    expect(await world.history.verify(id, 4)).toMatchObject({ ok: true });
    const missing = await calls()['history.restoreFiles']({ projectId: id, rev: 2, paths: ['nowhere'] }, context);
    expect(await world.context.operations.settled(missing.operationId)).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('never prunes a pinned revision, and remembers the pin beside the archive', async () => {
    const { id } = await create();
    for (const rev of [1, 2, 3]) { await put(id, 'f', `${rev}`, rev); await save(id); world.clock.now += 3_600_000; }
    await calls()['history.pin']({ projectId: id, rev: 2, pinned: true }, context);
    expect((await world.history.prune(id, { keepRevisions: 1 })).removed).toEqual([1, 3]);
    expect(world.history.list(id).revisions).toMatchObject([{ rev: 4 }, { rev: 2, pinned: true }]);
    expect((await world.cold.manifests(() => undefined)).find(({ revision }) => revision.rev === 2)?.revision.pinned).toBe(true);
    await calls()['history.pin']({ projectId: id, rev: 2, pinned: false }, context);
    expect((await world.history.prune(id, { keepBytes: 1 })).removed).toEqual([2]);
  });

  it('keeps the last of the offline edits of ten minutes only', async () => {
    const { id } = await create();
    world.clock.now = Math.ceil(world.clock.now / 600_000) * 600_000;
    for (const rev of [1, 2, 3]) { await put(id, 'f', `${rev}`, rev); await save(id); world.clock.now += 1000; }
    world.clock.now += 600_000;
    await put(id, 'f', 'later', 4);
    await save(id);
    expect(world.history.list(id).revisions.map(({ rev }) => rev)).toEqual([5, 4, 1]);
  });

  it('says from which host and computer a revision came', async () => {
    const { id } = await world.opened();
    world.guest(id).write('f', 'x');
    await world.environments.close(id).done;
    expect(world.history.revision(id, 2).origin).toMatchObject({ hostId: 'local', device: expect.any(String) as string });
    expect(world.history.revision(id, 1).origin).toMatchObject({ hostId: null });
  });
});

describe('drafts', () => {
  it('are kept at once, survive a crash, and become a revision', async () => {
    const { id } = await create();
    expect(await put(id, 'a.txt', 'typed', 1)).toMatchObject({ state: 'pending', baseRev: 1, drafts: [{ path: 'a.txt', change: 'changed' }] });
    world = await world.reborn();
    expect(world.offline.drafts.get(id, 'a.txt')).toMatchObject({ text: 'typed' });
    expect(await save(id)).toMatchObject({ rev: 2, reason: 'offline-edit' });
    expect(world.offline.drafts.list(id)).toMatchObject({ state: 'clean', drafts: [] });
    expect(await text(id, 'a.txt')).toBe('typed');
  });

  it('that come back to what the revision has are no change', async () => {
    const { id } = await create();
    const before = await text(id, 'package.json');
    await put(id, 'package.json', `${before} `, 1);
    expect(await put(id, 'package.json', before, 1)).toMatchObject({ state: 'clean', drafts: [] });
    expect(() => world.offline.drafts.save(id)).toThrow(code('BAD_REQUEST'));
  });

  it('go on being typed while an earlier state of them is saved', async () => {
    const { id } = await create();
    await put(id, 'a', '1', 1);
    const saving = world.offline.drafts.save(id).done;
    await put(id, 'a', '12', 1);
    await saving;
    expect(await put(id, 'a', '123', 1)).toMatchObject({ state: 'pending' });
    await save(id);
    expect(await text(id, 'a')).toBe('123');
  });

  it.each(['../x', '/x', 'a//b', 'a/./b', 'src', 'package.json/x'])('refuse the path %s', async (path) => {
    const { id } = await create();
    await put(id, 'src/f', 'x', 1);
    await save(id);
    const done = put(id, path, 'x', 2);
    await expect(done).rejects.toThrow(code('BAD_REQUEST'));
    expect(world.offline.drafts.list(id).drafts).toEqual([]);
  });

  it('are refused while the environment runs, and saved before it opens', async () => {
    const { id } = await create();
    await put(id, 'a.txt', 'typed offline', 1);
    world.offline.drafts.saveBeforeOpen(id);
    const { error } = await world.environments.open(id).done;
    expect(error).toBeNull();
    expect(world.projects.get(id).environment?.baseRev).toBe(2);
    await expect(put(id, 'a.txt', 'x', 2)).rejects.toThrow(code('ILLEGAL_TRANSITION'));
    expect(world.offline.drafts.list(id).state).toBe('locked');
    await world.environments.discard(id, id).done;
  });

  it('wait for a review when the project moved on: clean, merged or decided by a person', async () => {
    const { id } = await create();
    await put(id, 'both.txt', 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n', 1);
    await put(id, 'clash.txt', 'old\n', 1);
    await save(id);
    await put(id, 'both.txt', 'A\nb\nc\nd\ne\nf\ng\nh\ni\nj\n', 2);
    await put(id, 'clash.txt', 'mine\n', 2);
    await put(id, 'own.txt', 'mine only\n', 2);
    // Somebody restores revision 1 and edits: the head is no longer ours.
    const moved = async (edits: Readonly<Record<string, string>>): Promise<void> => {
      const drafts = world.context.store.drafts.list(id);
      world.context.store.drafts.remove(id, drafts);
      for (const [path, value] of Object.entries(edits)) await put(id, path, value, 2);
      const revision = await save(id);
      world.context.store.revisions.adopt({ ...revision, reason: 'save' });
      for (const draft of drafts) world.context.store.drafts.put(draft);
    };
    await moved({ 'both.txt': 'a\nb\nc\nd\ne\nf\ng\nh\ni\nJ\n', 'clash.txt': 'theirs\n' });
    expect(world.offline.drafts.list(id)).toMatchObject({ state: 'review', baseRev: 2, headRev: 3 });
    expect(() => world.offline.drafts.save(id)).toThrow(code('DRAFTS_OUTDATED'));
    expect(world.offline.drafts.saveBeforeOpen(id)).toBeNull();
    await expect(put(id, 'x', 'on the new head', 3)).rejects.toThrow(code('CONFLICT'));
    const review = await calls()['drafts.review']({ projectId: id }, context);
    expect(review.files.map(({ path, fit }) => [path, fit])).toEqual([['both.txt', 'merges'], ['clash.txt', 'conflict'], ['own.txt', 'clean']]);
    expect(review.patch).toContain('diff --git a/own.txt b/own.txt');
    await expect(calls()['drafts.resolve']({ projectId: id, choices: [{ path: 'clash.txt', take: 'mine' }] }, context)).rejects.toThrow(code('BAD_REQUEST'));
    await expect(calls()['drafts.resolve']({ projectId: id, choices: [{ path: 'clash.txt', take: 'merge' }, { path: 'both.txt', take: 'merge' }] }, context)).rejects.toThrow(code('CONFLICT'));
    expect(await calls()['drafts.resolve']({ projectId: id, choices: [{ path: 'clash.txt', take: 'theirs' }, { path: 'both.txt', take: 'merge' }] }, context)).toMatchObject({ state: 'pending', baseRev: 3 });
    await save(id);
    expect(await text(id, 'both.txt')).toBe('A\nb\nc\nd\ne\nf\ng\nh\ni\nJ\n');
    expect(await text(id, 'clash.txt')).toBe('theirs\n');
    expect(await text(id, 'own.txt')).toBe('mine only\n');
  });

  it('of two windows never overwrite each other: the second is refused until it has seen the first', async () => {
    const { id } = await create();
    await put(id, 'a', 'start', 1);
    await save(id);
    const over = (typed: string | null, seen: string | null, baseRev = 2, path = 'a'): Promise<unknown> => world.offline.drafts.put(id, path, typed, baseRev, seen);
    const elsewhere = expect.objectContaining({ code: 'CONFLICT', details: expect.objectContaining({ path: 'a', changedElsewhere: true }) as unknown }) as unknown;
    const start = textVersion('start');
    await over('one', start);
    await expect(over('two', start)).rejects.toThrow(elsewhere);
    await expect(over(null, start)).rejects.toThrow(elsewhere);
    expect(world.offline.drafts.list(id).drafts).toMatchObject([{ path: 'a', version: textVersion('one') }]);
    await save(id);
    // The first one's change is a revision by now, and folded with later ones: overwriting it would lose it.
    await expect(over('two', start)).rejects.toThrow(elsewhere);
    await expect(over('two', null)).rejects.toThrow(elsewhere);
    await over('one and two', textVersion('one'));
    await over('one and two', start);
    const race = await Promise.allSettled([over('x', textVersion('one and two')), over('y', textVersion('one and two')), over('new', null, 2, 'fresh'), over('newer', null, 2, 'fresh')]);
    expect(race.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    await save(id);
    expect([await text(id, 'a'), await text(id, 'fresh')]).toEqual(['x', 'new']);
  });

  it('are saved by themselves after a pause, also those that an earlier run left', async () => {
    const { id } = await create();
    await put(id, 'a', '1', 1);
    world = await world.reborn();
    world.offline.start();
    await expect.poll(() => world.projects.get(id).head?.rev, { timeout: DRAFT_SAVE_PAUSE_MS + 5000, interval: 200 }).toBe(2);
  });

  it('are told to whoever watches', async () => {
    const { id } = await create();
    await put(id, 'a', '1', 1);
    const abort = new AbortController();
    const events: StateEvent[] = [];
    for await (const event of world.context.feed.watch(abort.signal)) { events.push(event); if (events.length === 2) break; }
    expect(events[1]).toMatchObject({ kind: 'drafts', drafts: { projectId: id, state: 'pending' } });
  });
});

describe('with a remote store and the network off', () => {
  let remote: FakeRemote;
  const away = async (): Promise<World> => {
    await world.dispose();
    return makeWorld({
      remote: (local) => (remote = fakeRemote(local)).cold,
      copies: (cold) => openCopies({ cold, root: join(folder, 'copies'), policy: () => ({ budgetBytes: 1e9, kept: new Set() }), now: Date.now }),
    });
  };

  it('what was fetched can be browsed and edited, and the changes wait until the store can be reached', async () => {
    world = await away();
    world.offline.start();
    const { id } = await create();
    const other = await create('B');
    await world.offline.keepCopies();
    world.context.store.projects.update(other.id, { name: 'B' }, 1);
    remote.setOnline(false);
    expect((await calls()['offline.status']({}, context)).available.sort()).toEqual([id, other.id].sort());
    expect(await text(id, 'package.json')).toContain('{');
    await put(id, 'a', 'typed on a train', 1);
    const failed = await world.offline.drafts.save(id).done;
    expect(failed.error).toMatchObject({ code: 'STORE_FAILED' });
    expect(world.offline.drafts.get(id, 'a')?.text).toBe('typed on a train');
    remote.setOnline(true);
    expect(await save(id)).toMatchObject({ rev: 2 });
    expect(await text(id, 'a')).toBe('typed on a train');
  });

  it('says which store cannot be reached for what was never fetched', async () => {
    world = await away();
    const { id } = await create();
    remote.setOnline(false);
    await expect(text(id, 'package.json')).rejects.toThrow(code('STORE_FAILED'));
  });

  it('repairs the store from a copy on this computer', async () => {
    world = await away();
    const project = await create();
    const copies = await openCopies({ cold: remote.cold, root: join(folder, 'copies'), policy: () => ({ budgetBytes: 1e9, kept: new Set() }), now: Date.now });
    await world.offline.keepCopies();
    await remote.lose(project.id, project.head?.sha256 ?? '');
    const { result } = await checkStore({ context: world.context, sources: [copiesSource(copies)] }, project.id, true).done;
    expect(result).toMatchObject({ sound: true, findings: [{ problem: 'missing', outcome: 'repaired' }] });
    expect(await world.history.verify(project.id, 1)).toMatchObject({ ok: true });
  });
});

describe('archives that are looked into', () => {
  it('are shared, and those not used for long are closed, but none that somebody reads', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 9; index += 1) ids.push((await create(`P${index}`)).id);
    const held = await world.offline.archives.hold(ids[0] ?? '', undefined, context.signal);
    for (const id of ids) await text(id, 'package.json');
    expect((await held.archive.read('package.json', { maxBytes: 10_000, signal: context.signal })).length).toBeGreaterThan(0);
    await held.release();
    await expect(held.archive.read('package.json', { maxBytes: 10_000, signal: context.signal })).rejects.toThrow();
    expect(await text(ids[0] ?? '', 'package.json')).toContain('{');
  });
});
