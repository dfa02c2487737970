import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SettingsSchema } from '#shared/contract.ts';
import type { Operation } from '#shared/operation.ts';
import { ProjectSettingsSchema } from '#shared/project.ts';
import type { NewRevision, Store } from '../../ports/store.ts';
import { openDatabase } from './database.ts';
import { makeProjectTables } from './project-tables.ts';
import { openStore } from './store.ts';

let folder: string;
let store: Store;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-store-')); store = openStore(join(folder, 'vessel.db')); });
afterEach(() => { store.close(); rmSync(folder, { recursive: true }); });

const settings = ProjectSettingsSchema.parse({});
const draft = (projectId: string, sha256 = 'aa'): NewRevision => ({ projectId, sha256, bytes: 10, files: 1, contentBytes: 10, reason: 'save', createdAt: 5, verifiedAt: 6, leftOut: [{ path: 'node_modules/', reason: 'package.json' }] });
const insert = (id: string): void => store.projects.insert({ id, name: id, template: 'node', hostId: 'local', createdAt: 1, settings });
const operation = (id: string, startedAt: number, state: Operation['state'] = 'succeeded'): Operation => ({ id, kind: 'save', title: 't', projectId: 'a', hostId: null, state, steps: [], progress: 1, cancellable: false, startedAt, endedAt: null, lastSeq: 0, result: null, error: null });

describe('the store', () => {
  it('keeps a revision whose head has moved, without making it the head', () => {
    insert('a');
    expect(store.revisions.append(draft('a'), null)).toMatchObject({ flipped: true, revision: { rev: 1, parentRev: null } });
    expect(store.revisions.append(draft('a', 'bb'), null)).toMatchObject({ flipped: false, revision: { rev: 2 } });
    expect(store.projects.get('a')?.head?.rev).toBe(1);
    expect(store.revisions.list('a').map(({ rev }) => rev)).toEqual([2, 1]);
    expect(store.revisions.append(draft('a', 'cc'), 1)).toMatchObject({ flipped: true, revision: { rev: 3, parentRev: 1 } });
  });

  it('gives back what it was given', () => {
    insert('a');
    store.revisions.append(draft('a'), null);
    store.environments.put({ projectId: 'a', hostId: 'local', state: 'running', since: 1, startedAt: 2, lastActivityAt: null, dirty: true, baseRev: 1, startKind: 'clone', error: null, savedCounter: 9 });
    expect(store.projects.get('a')).toMatchObject({ template: 'node', settings, head: { leftOut: [{ path: 'node_modules/' }] }, environment: { state: 'running', dirty: true } });
    expect(store.projects.get('a')?.environment).not.toHaveProperty('savedCounter');
    expect(store.environments.get('a')?.savedCounter).toBe(9);
    store.settings.put({ ...SettingsSchema.parse({}), theme: 'dark' });
    expect(store.settings.get().theme).toBe('dark');
  });

  it('lists a thousand projects', () => {
    const database = openDatabase(join(folder, 'large.db'));
    const { projects, revisions } = makeProjectTables(database);
    database.transaction(() => {
      for (let index = 0; index < 1000; index += 1) {
        projects.insert({ id: `p${index}`, name: `Project ${index}`, template: 'node', hostId: 'local', createdAt: 1, settings });
        revisions.append(draft(`p${index}`), null);
      }
    });
    expect(projects.list(false)).toHaveLength(1000);
    database.close();
  });

  it('keeps an operation and its log together, and trims the oldest lines', () => {
    store.operations.put(operation('o', 1, 'running'), { call: 'environments.save', input: { projectId: 'a' } });
    store.operations.appendLog('o', Array.from({ length: 30 }, (_, index) => ({ seq: index + 1, at: 1, stepId: null, level: 'info' as const, text: `line ${index + 1}` })));
    store.operations.put({ ...operation('o', 1), result: { ok: true } }, null);
    store.operations.trimLog('o', 10, 1e6);
    expect(store.operations.log('o', 0).map(({ seq }) => seq)).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
    expect(store.operations.get('o')?.result).toEqual({ ok: true });
    expect(store.operations.request('o')).toMatchObject({ call: 'environments.save' });
  });

  it('forgets the tickets that an older Vessel kept', () => {
    store.operations.put({ ...operation('o', 1), kind: 'open', result: { id: 'a', url: 'http://a.localhost/?ticket=x', origin: 'http://a.localhost' } }, null);
    store.operations.prune(10, 1e9);
    expect(store.operations.get('o')?.result).toEqual({ id: 'a', origin: 'http://a.localhost' });
  });

  it('prunes the oldest ended operations and never a running one', () => {
    store.operations.put(operation('old-running', 1, 'running'), null);
    for (let index = 2; index < 8; index += 1) store.operations.put(operation(`o${index}`, index), null);
    store.operations.prune(2, 1e9);
    expect(store.operations.list({ limit: 50 }).map(({ id }) => id)).toEqual(['o7', 'o6', 'old-running']);
  });

  it('moves the base of an environment together with the head, so that no crash comes between them', () => {
    insert('a');
    store.revisions.append(draft('a'), null);
    store.environments.put({ projectId: 'a', hostId: 'local', state: 'running', since: 1, startedAt: 1, lastActivityAt: null, dirty: true, baseRev: 1, startKind: 'clone', error: null, savedCounter: 5 });
    store.revisions.append(draft('a', 'bb'), 1);
    expect(store.environments.get('a')).toMatchObject({ baseRev: 2, savedCounter: 5 });
    store.revisions.append(draft('a', 'cc'), 1);
    expect(store.environments.get('a')).toMatchObject({ baseRev: 2 });
  });

  it('pages events backwards by project', () => {
    for (let index = 0; index < 5; index += 1) store.events.add({ at: index, kind: 'k', projectId: index % 2 === 0 ? 'a' : 'b', hostId: null, operationId: null, text: `${index}`, data: {} });
    const [first] = store.events.list({ projectId: 'a', limit: 1 });
    expect(first?.text).toBe('4');
    expect(store.events.list({ projectId: 'a', beforeId: first?.id, limit: 10 }).map(({ text }) => text)).toEqual(['2', '0']);
  });

  it('removes a project with everything that hangs on it', () => {
    insert('a');
    store.revisions.append(draft('a'), null);
    store.projects.remove('a');
    expect(store.revisions.list('a')).toEqual([]);
    expect(store.projects.list(true)).toEqual([]);
  });
});
