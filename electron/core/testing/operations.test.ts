import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import type { OperationEvent } from '#shared/operation.ts';
import { openStore } from '../adapters/sqlite/store.ts';
import type { Store } from '../ports/store.ts';
import type { OperationDefinition, StepDefinition } from '../services/operations/definition.ts';
import { KEEP_LOG_BYTES, KEEP_LOG_LINES } from '../services/operations/live-operation.ts';
import { Operations } from '../services/operations/operations.ts';
import { StateFeed } from '../services/state-feed.ts';

let folder: string;
let store: Store;
let operations: Operations;
const runtime = { now: () => Date.now(), log: () => undefined, fault: () => undefined };
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vessel-ops-')); store = openStore(join(folder, 'db')); operations = new Operations(store, runtime); });
afterEach(async () => { await operations.close(); store.close(); rmSync(folder, { recursive: true }); });

const define = (steps: readonly StepDefinition<Record<string, unknown>>[], change: Partial<OperationDefinition<Record<string, unknown>>> = {}): OperationDefinition<Record<string, unknown>> =>
  ({ kind: 'save', title: 'Save A', projectId: 'a', hostId: 'local', cancellable: true, request: { call: 'environments.save', input: { projectId: 'a' } }, state: {}, steps, result: (state) => state, ...change });
const step = (id: string, run: StepDefinition<Record<string, unknown>>['run'] = async () => undefined, change: Partial<StepDefinition<Record<string, unknown>>> = {}): StepDefinition<Record<string, unknown>> => ({ id, title: id, weight: 1, run, ...change });
const untilAborted = ({ signal }: { readonly signal: AbortSignal }): Promise<void> => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => reject(signal.reason as Error)); });
const until = async (id: string): Promise<readonly OperationEvent[]> => {
  const events: OperationEvent[] = [];
  for await (const event of operations.watch(id, 0, new AbortController().signal)) events.push(event);
  return events;
};

describe('operations', () => {
  it('keep the failed step, the error and the log that led to it, without secrets', async () => {
    const { done } = operations.start(define([
      step('one', async ({ log }) => { log('about to use token=abcdef123456'); return 'done well'; }),
      step('two', async () => { throw new VesselError('DISK_FULL', 'no space for Bearer abcdefgh12345'); }),
      step('three'),
    ]));
    const operation = await done;
    expect(operation).toMatchObject({ state: 'failed', cancellable: false, error: { code: 'DISK_FULL', retryable: true } });
    expect(operation.steps.map(({ id, state, detail }) => [id, state, detail.slice(0, 8)])).toEqual([['one', 'done', 'done wel'], ['two', 'failed', 'no space'], ['three', 'pending', '']]);
    expect(operation.error?.logTail[0]).toContain('about to use');
    expect(JSON.stringify([operation, store.operations.get(operation.id), operations.log(operation.id, 0)])).not.toMatch(/abcdef/);
  });

  it('clean up before they end as failed, and tell when even that failed', async () => {
    const order: string[] = [];
    const { done } = operations.start(define([step('x', async () => { throw new VesselError('STORE_FAILED'); })], {
      onFailure: async (error) => { order.push(error.code); expect(store.operations.running()).toHaveLength(1); throw new Error('cannot clean'); },
    }));
    const operation = await done;
    expect(order).toEqual(['STORE_FAILED']);
    expect(operation.error?.code).toBe('STORE_FAILED');
    expect(operations.log(operation.id, 0).at(-1)?.text).toContain('cannot clean');
  });

  it('can be cancelled, and know it from a failure', async () => {
    const { operationId, done } = operations.start(define([step('wait', untilAborted)]));
    await new Promise((resolve) => setTimeout(resolve, 5));
    operations.cancel(operationId);
    expect(await done).toMatchObject({ state: 'cancelled', error: { code: 'CANCELLED' }, steps: [{ state: 'cancelled' }] });
    expect(operations.cancel(operationId).state).toBe('cancelled');
  });

  it('refuse a cancel where it is not possible', async () => {
    const { operationId, done } = operations.start(define([step('x', async () => { await new Promise((resolve) => setTimeout(resolve, 30)); })], { cancellable: false }));
    expect(() => operations.cancel(operationId)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    expect((await done).state).toBe('succeeded');
  });

  it('are one when the same is asked twice, and BUSY names the other when something else is asked', async () => {
    const first = operations.start(define([step('wait', untilAborted)]));
    expect(operations.start(define([step('wait')])).operationId).toBe(first.operationId);
    expect(() => operations.start(define([], { kind: 'close' }))).toThrow(expect.objectContaining({ code: 'BUSY', details: expect.objectContaining({ operationId: first.operationId, title: 'Save A' }) as unknown }));
    operations.start(define([step('y')], { projectId: 'b' }));
    operations.cancel(first.operationId);
    await first.done;
    expect((await operations.start(define([], { kind: 'close' })).done).state).toBe('succeeded');
  });

  it('may wait for the one before them', async () => {
    const order: string[] = [];
    const first = operations.start(define([step('x', async () => { await new Promise((resolve) => setTimeout(resolve, 30)); order.push('first'); })]));
    const second = operations.start(define([step('y', async () => { order.push('second'); })], { kind: 'close', after: first.operationId }));
    expect(operations.active('a', null)?.id).toBe(second.operationId);
    await second.done;
    expect(order).toEqual(['first', 'second']);
  });

  it('run steps together, and stop the companions of one that fails', async () => {
    let companionStopped = false;
    const { done } = operations.start(define([
      step('a', async () => { await new Promise((resolve) => setTimeout(resolve, 10)); throw new VesselError('TIMEOUT'); }),
      step('b', async (context) => { await untilAborted(context).catch(() => { companionStopped = true; throw new VesselError('CANCELLED'); }); }, { together: true }),
    ]));
    expect(await done).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' } });
    expect(companionStopped).toBe(true);
  });

  it('skip steps whose work is found done, and weigh their progress', async () => {
    const { operationId, done } = operations.start(define([step('skip', undefined, { weight: 3, needed: () => false }), step('half', async (context) => { context.progress(0.5, 'half way'); await untilAborted(context); })]));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(operations.get(operationId)).toMatchObject({ progress: 3.5 / 4, steps: [{ state: 'skipped' }, { state: 'running', detail: 'half way' }] });
    operations.cancel(operationId);
    await done;
  });

  it('replay their log to whoever comes late, without a gap or a repetition, while lines still come', async () => {
    const { operationId } = operations.start(define([step('x', async ({ log }) => {
      for (let index = 1; index <= 100; index += 1) { log(`line ${index}`); if (index % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5)); }
    })]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const events = await until(operationId);
    expect(events[0]?.kind).toBe('operation');
    expect(events.flatMap((event) => (event.kind === 'log' ? [event.line.seq] : []))).toEqual(Array.from({ length: 101 }, (_, index) => index + 1));
    expect(events.findLast((event) => event.kind === 'operation')).toMatchObject({ operation: { state: 'succeeded' } });
    expect((await until(operationId)).filter(({ kind }) => kind === 'log')).toHaveLength(101);
    expect(operations.log(operationId, 97).map(({ text }) => text)).toEqual(['line 98', 'line 99', 'line 100', 'x']);
  });

  it('keep a bounded log', async () => {
    const { operationId, done } = operations.start(define([step('x', async ({ log }) => { for (let index = 0; index < KEEP_LOG_LINES + 100; index += 1) log('x'); })]));
    await done;
    const lines = operations.log(operationId, 0);
    expect(lines).toHaveLength(KEEP_LOG_LINES);
    // The last line is the engine's own word on the step.
    expect(lines.at(-1)?.seq).toBe(KEEP_LOG_LINES + 101);
  });

  it('that ran when Vessel was killed have failed as INTERRUPTED and can be retried', async () => {
    const { operationId } = operations.start(define([step('wait', untilAborted)]));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const reborn = new Operations(store, runtime);
    expect(reborn.get(operationId)).toMatchObject({ state: 'failed', error: { code: 'INTERRUPTED', retryable: true }, steps: [{ state: 'failed' }] });
    expect(reborn.request(operationId)).toEqual({ call: 'environments.save', input: { projectId: 'a' } });
  });

  it('end as INTERRUPTED when Vessel closes, without cleaning up', async () => {
    let cleaned = false;
    const { done } = operations.start(define([step('wait', untilAborted)], { onFailure: async () => { cleaned = true; } }));
    await operations.close();
    expect(await done).toMatchObject({ state: 'failed', error: { code: 'INTERRUPTED' } });
    expect(cleaned).toBe(false);
    expect(() => operations.start(define([]))).toThrow(expect.objectContaining({ code: 'INTERRUPTED' }));
  });
});

describe('operations of a guest that says too much', () => {
  const long = 'a.\u001b[2J'.repeat(300_000);
  const databaseBytes = (): number => ['db', 'db-wal'].reduce((sum, name) => sum + statSync(join(folder, name), { throwIfNoEntry: false })!.size, 0);
  const flood = (): Promise<unknown> => operations.start(define([step('one', async ({ log, progress }) => {
    progress(0.5, long);
    log(long);
    for (let index = 0; index < 20_000; index += 1) log(`line ${index} ${long.slice(0, 5000)}`);
    log('\n'.repeat(100_000));
    throw new VesselError('GUEST_ERROR', long, { hint: long, details: { long, a: [long] }, logTail: Array.from({ length: 100 }, () => long) });
  })])).done;

  it('take little of the database each', async () => {
    const before = process.threadCpuUsage();
    const { id } = await flood() as { readonly id: string };
    expect(process.threadCpuUsage(before).user / 1000).toBeLessThan(5000);
    expect(JSON.stringify(store.operations.get(id)).length).toBeLessThan(40_000);
    const lines = operations.log(id, 0);
    expect(lines.length).toBeLessThanOrEqual(KEEP_LOG_LINES);
    expect(lines.some(({ text }) => /… \d+ more lines came too fast/.test(text))).toBe(true);
    expect(JSON.stringify(lines).length).toBeLessThan(2 * KEEP_LOG_BYTES);
    expect(JSON.stringify([lines, store.operations.get(id)])).not.toContain('\\u001b');
    expect(databaseBytes()).toBeLessThan(8_000_000);
  });

  it('take no more than a share of the database together, and the first message of a window stays small', async () => {
    for (let index = 0; index < 60; index += 1) await operations.start(define([step('one', async ({ log }) => { log(long); throw new VesselError('GUEST_ERROR', long, { details: { long }, logTail: [long, long, long] }); })])).done;
    const feed = new StateFeed(store, operations);
    const first = await feed.watch(new AbortController().signal).next();
    const bytes = JSON.stringify(first.value).length;
    expect(bytes).toBeLessThan(1_000_000);
    expect(first.value).toMatchObject({ kind: 'snapshot', operations: { length: 50 } });
    expect(databaseBytes()).toBeLessThan(16_000_000);
    feed.close();
  });

  it('are forgotten by their bytes, the oldest first', () => {
    const put = (id: string, at: number, state: 'running' | 'failed'): void => store.operations.put({ id, kind: 'save', title: 't', projectId: 'a', hostId: null, state, steps: [], progress: 1, cancellable: false, startedAt: at, endedAt: null, lastSeq: 0, result: 'x'.repeat(100_000), error: null }, null);
    put('runs', 1, 'running');
    for (let index = 2; index < 22; index += 1) put(`o${index}`, index, 'failed');
    store.operations.appendLog('o21', [{ seq: 1, at: 1, stepId: null, level: 'info', text: 'y'.repeat(500_000) }]);
    store.operations.trimLog('o21', 10, 600_000);
    store.operations.prune(2000, 1_200_000);
    // The log counts: five hundred thousand of it leave room for six results beside its own.
    expect(store.operations.list({ limit: 50 }).map(({ id }) => id)).toEqual(['o21', 'o20', 'o19', 'o18', 'o17', 'o16', 'runs']);
    store.operations.prune(2000, 1);
    expect(store.operations.list({ limit: 50 })).toHaveLength(6);
    store.operations.trimLog('o21', 10, 100);
    expect(store.operations.log('o21', 0)).toEqual([]);
  });

  it('keep nothing back for a reader that is slow', async () => {
    let release: () => void = () => undefined;
    const { operationId, done } = operations.start(define([step('one', async ({ log }) => {
      for (let index = 0; index < 100; index += 1) log(`early ${index}`);
      await new Promise<void>((resolve) => { release = resolve; });
      for (let index = 0; index < 300; index += 1) log(`late ${index}`);
    })]));
    const events = operations.watch(operationId, 0, new AbortController().signal);
    expect((await events.next()).value).toMatchObject({ kind: 'operation' });
    await expect.poll(() => operations.log(operationId, 0).length).toBe(100);
    release();
    await done;
    const texts: string[] = [];
    for await (const event of events) if (event.kind === 'log') texts.push(event.line.text);
    expect(texts.filter((text) => /^(early|late)/.test(text))).toHaveLength(400);
  });
});
