import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Vm } from '#shared/host-protocol.ts';
import { DiskGuard } from './disk-guard.ts';
import { judgeDisk } from './disk-space.ts';

const MIB = 1024 * 1024;
const TOTAL = 100 * 1024 * MIB;
const vm = (id: string): Vm => ({
  id, driver: 'qemu', state: 'running', tier: 'medium', address: null, token: null, startKind: 'clone', createdAt: 0, startedAt: 0, imageKey: '', pid: null, problem: null,
});

describe('the space that is kept for saving', () => {
  it.each([
    ['2.4 GB', 2400 * MIB, 256 * MIB],
    ['20 GB', 20 * 1024 * MIB, 1024 * MIB],
    ['1 TB', 1024 * 1024 * MIB, 2048 * MIB],
    ['400 MB', 400 * MIB, 50 * MIB],
  ])('of a disk of %s is a share of it', (_name, total, reserve) => {
    expect(judgeDisk(total, total)).toMatchObject({ state: 'ok', reserveBytes: reserve });
    expect(judgeDisk(reserve - 1, total).state).toBe('full');
    expect(judgeDisk(2 * reserve, total).state).toBe('low');
  });
});

describe('the guard of the disk', () => {
  let folder: string;
  let free = 0;
  let now = 0;
  const standing = new Set<string>();
  const calls: string[] = [];
  const logs: string[] = [];
  let guard: DiskGuard;
  const grow = (id: string, bytes: number): void => { writeFileSync(join(folder, id), Buffer.alloc(bytes, 1)); };
  const look = async (...ids: string[]): Promise<readonly (string | null)[]> => (await guard.look(ids.map(vm))).map(({ problem }) => problem);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vessel-guard-'));
    free = TOTAL / 2;
    now = 0;
    for (const list of [calls, logs]) list.length = 0;
    standing.clear();
    guard = new DiskGuard({
      folder, now: () => now, log: (text) => logs.push(text), space: () => Promise.resolve(judgeDisk(free, TOTAL)),
      pause: {
        diskPath: (id) => join(folder, id), stands: (id) => { calls.push(`ask ${id}`); return Promise.resolve(standing.has(id)); },
        stop: (id) => { calls.push(`stop ${id}`); standing.add(id); return Promise.resolve(); },
        goOn: ({ id }) => { calls.push(`go on ${id}`); standing.delete(id); return Promise.resolve(); },
      },
    });
  });
  afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

  it('asks hypervisors only now and then while there is space', async () => {
    now = 60_000;
    await look('one');
    await look('one');
    expect(calls).toEqual(['ask one']);
    now += 11_000;
    await look('one');
    expect(calls).toEqual(['ask one', 'ask one']);
  });

  it('says early that space gets low, and stops nothing yet', async () => {
    free = 4 * 1024 * MIB;
    expect(await look('one')).toEqual([null]);
    expect(logs.join()).toContain('low');
    expect(calls.filter((call) => call.startsWith('stop'))).toEqual([]);
  });

  it('stops the one that grows in the reserve, not the one beside it, and lets it go on when there is space', async () => {
    free = 1024 * MIB;
    grow('greedy', MIB);
    grow('modest', MIB);
    expect(await look('greedy', 'modest')).toEqual([null, null]);
    grow('greedy', 30 * MIB);
    grow('modest', 2 * MIB);
    const [greedy, modest] = await look('greedy', 'modest');
    expect(greedy).toContain('disk is full');
    expect(modest).toBeNull();
    expect(calls.filter((call) => call.startsWith('stop'))).toEqual(['stop greedy']);
    // Hardly more than the reserve: it would stop again at once.
    free = 2100 * MIB;
    expect((await look('greedy', 'modest'))[0]).toContain('disk is full');
    free = 4096 * MIB;
    expect(await look('greedy', 'modest')).toEqual([null, null]);
    expect(calls.filter((call) => call.startsWith('go on'))).toEqual(['go on greedy']);
  });

  it('finds what was stopped before it began to look, and forgets what has gone', async () => {
    standing.add('one');
    free = 1024 * MIB;
    expect((await look('one'))[0]).toContain('disk is full');
    await look();
    free = TOTAL / 2;
    expect(await look('one')).toEqual([null]);
  });

  it('is no reason for a list to fail', async () => {
    guard = new DiskGuard({ folder, now: () => now, log: (text) => logs.push(text), space: () => Promise.reject(new Error('no disk')), pause: { diskPath: () => '', stands: () => Promise.reject(new Error('no answer')), stop: () => Promise.resolve(), goOn: () => Promise.resolve() } });
    expect(await look('one')).toEqual([null]);
    expect(logs.join()).toContain('no disk');
  });
});
