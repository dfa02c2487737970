import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostStep } from '#shared/host-protocol.ts';
import { provision, unprovision } from './engine.ts';
import { Journal } from './journal.ts';
import type { ProvisionStep } from './step.ts';

describe('provisioning', () => {
  let folder = '';
  let journal: Journal;
  const world = new Set<string>();
  const undone: string[] = [];
  const signal = new AbortController().signal;
  const step = (id: string, change: Partial<ProvisionStep> = {}): ProvisionStep => ({
    id, title: `Step ${id}`, weight: 1,
    check: () => Promise.resolve({ present: world.has(id), evidence: world.has(id) ? 'there' : 'not there', plan: world.has(id) ? [] : [`make ${id}`] }),
    async run({ journal: entries }) {
      await entries.record(id, id);
      world.add(id);
    },
    undo: ({ item }) => {
      world.delete(item);
      undone.push(item);
      return Promise.resolve(null);
    },
    ...change,
  });
  const run = (steps: readonly ProvisionStep[], dryRun = false, report: (steps: readonly HostStep[]) => void = () => undefined): ReturnType<typeof provision> =>
    provision({ steps, journal, dryRun, signal, report, log: () => undefined });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vessel-provision-'));
    journal = new Journal(join(folder, 'journal.jsonl'));
    world.clear();
    undone.length = 0;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('stops at the step that fails, names it, and keeps what was done', async () => {
    const failing = step('b', { run: () => Promise.reject(new Error('no network')) });
    await expect(run([step('a'), failing, step('c')])).rejects.toMatchObject({ code: 'PROVISION_FAILED', message: 'Step b: no network' });
    expect([...world]).toEqual(['a']);
    expect(await run([step('a'), step('b'), step('c')])).toMatchObject({ status: 'success', changed: 2 });
  });

  it('fails a step that ran but is still missing', async () => {
    await expect(run([step('a', { run: () => Promise.resolve() })])).rejects.toMatchObject({ code: 'PROVISION_FAILED' });
  });

  it('changes nothing in a dry run and says what it would change', async () => {
    world.add('a');
    const result = await run([step('a'), step('b')], true);
    expect(result).toMatchObject({ status: 'planned', changed: 0 });
    expect(result.steps.map(({ state, plan }) => ({ state, plan }))).toEqual([{ state: 'present', plan: [] }, { state: 'missing', plan: ['make b'] }]);
    expect([...world]).toEqual(['a']);
    expect(await journal.standing()).toEqual([]);
  });

  it('does nothing the second time', async () => {
    await run([step('a'), step('b')]);
    expect(await run([step('a'), step('b')])).toMatchObject({ changed: 0 });
    expect(await journal.standing()).toHaveLength(2);
  });

  it('passes over a step that does not apply here, and says why', async () => {
    const skipped = step('b', { check: () => Promise.resolve({ present: true, skipped: true, evidence: 'no systemd', plan: [] }) });
    expect((await run([step('a'), skipped])).steps.map(({ state, evidence }) => [state, evidence])).toEqual([['done', 'there'], ['skipped', 'no systemd']]);
    // What turns out while it runs counts as well.
    let looked = 0;
    const late = step('c', { check: () => Promise.resolve(looked++ === 0 ? { present: false, evidence: '', plan: ['fetch'] } : { present: true, skipped: true, evidence: 'not reachable', plan: [] }), run: () => Promise.resolve() });
    expect((await run([late])).status).toBe('success');
    expect([...world]).toEqual(['a']);
  });

  it('reports each step as it goes', async () => {
    const seen: string[] = [];
    await run([step('a')], false, (steps) => seen.push(steps[0]?.state ?? ''));
    expect(seen).toEqual(['missing', 'running', 'done']);
  });

  it('undoes exactly what the journal holds, newest first, once', async () => {
    world.add('before');
    const steps = [step('before'), step('a'), step('b')];
    await run(steps);
    expect(await unprovision({ steps, journal, dryRun: true, signal })).toMatchObject({ status: 'planned', removed: ['b: b', 'a: a'] });
    expect(undone).toEqual([]);
    expect(await unprovision({ steps, journal, dryRun: false, signal })).toMatchObject({ removed: ['b: b', 'a: a'], kept: [] });
    expect([...world]).toEqual(['before']);
    expect(await unprovision({ steps, journal, dryRun: false, signal })).toMatchObject({ removed: [], kept: [] });
  });

  it('undoes the entries of a step together where it can, and one by one what is left', async () => {
    const asked: string[][] = [];
    const many = step('a', {
      run: async ({ journal: entries }) => { for (const item of ['one', 'two']) { await entries.record('a', item); world.add(item); } world.add('a'); },
      undoAll: (entries) => { asked.push(entries.map(({ item }) => item)); world.delete('one'); return Promise.reject(new Error('half')); },
    });
    await run([many]);
    expect(await unprovision({ steps: [many], journal, dryRun: false, signal })).toMatchObject({ removed: ['a: two', 'a: one'], kept: [] });
    expect([asked, [...world]]).toEqual([[['two', 'one']], ['a']]);
  });

  it('keeps in the journal what could not be undone, and says why', async () => {
    const steps = [step('a', { undo: () => Promise.resolve('others need it') }), step('b', { undo: () => Promise.reject(new Error('locked')) })];
    await run(steps);
    expect(await unprovision({ steps, journal, dryRun: false, signal })).toMatchObject({ removed: [], kept: [{ item: 'b: b', why: 'locked' }, { item: 'a: a', why: 'others need it' }] });
    expect(await journal.standing()).toHaveLength(2);
  });

  it('reads a journal whose last line was torn by a power cut, and appends to it', async () => {
    await journal.record('a', 'one');
    await appendFile(join(folder, 'journal.jsonl'), '{"seq":2,"at":1,"st');
    await journal.record('b', 'two');
    expect((await journal.standing()).map(({ item }) => item)).toEqual(['one', 'two']);
    expect(await readFile(join(folder, 'journal.jsonl'), 'utf8')).toContain('"st\n');
  });
});
