import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VesselError } from '#shared/errors.ts';
import type { GuestActivity } from '#shared/guest-protocol.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { hibernateIdle, idleFor } from './idle.ts';
import type { IdleGiven } from './idle.ts';
import { PresenceFolder } from './presence.ts';

const MINUTE = 60_000;
const quiet: GuestActivity = { now: 1_000 * MINUTE, ide: null, terminal: null, http: null, file: null, exec: null, open: { ide: 0, exec: 0, terminal: 0 }, changeCounter: 1 };

describe('how long nobody used a guest', () => {
  it('is nothing while a command runs', () => expect(idleFor({ ...quiet, open: { ide: 0, exec: 1, terminal: 0 } }, 0, 500 * MINUTE)).toBe(0));
  it('counts from the last thing done, by the guest\'s own clock', () => expect(idleFor({ ...quiet, file: 990 * MINUTE, ide: 800 * MINUTE }, 0, 500 * MINUTE)).toBe(10 * MINUTE));
  it('counts from its start or its waking when nothing was done since', () => expect(idleFor({ ...quiet, ide: 10 * MINUTE }, 495 * MINUTE, 500 * MINUTE)).toBe(5 * MINUTE));
});

describe('one round of the host\'s timer', () => {
  let folder = '';
  let server: Server;
  let presence: PresenceFolder;
  let activity: GuestActivity = quiet;
  const slept: string[] = [];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vessel-idle-'));
    presence = new PresenceFolder(folder);
    slept.length = 0;
    activity = quiet;
    server = createServer((_request, response) => response.end(JSON.stringify(activity)));
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  });
  afterEach(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const vm = (id: string, change: Partial<Vm> = {}): Vm => ({
    id, driver: 'process', state: 'running', tier: 'medium', address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, token: 't', startKind: 'clone', createdAt: 1, startedAt: 1, imageKey: 'i', pid: 1,
    problem: null, ...change,
  });
  const round = (vms: readonly Vm[], change: Partial<IdleGiven> = {}): ReturnType<typeof hibernateIdle> => hibernateIdle({
    list: () => Promise.resolve(vms), presence, params: { idleMinutes: 30, awayMinutes: 5 }, signal: new AbortController().signal, now: () => Date.now(),
    hibernate: (id) => { slept.push(id); return id === 'fails' ? Promise.reject(new VesselError('DISK_FULL', 'no room')) : Promise.resolve(vm(id, { state: 'hibernated' })); }, ...change,
  });

  it('puts to sleep what nobody used, and goes on when one cannot', async () => {
    expect(await round([vm('fails'), vm('idle'), vm('starting', { state: 'starting' })])).toEqual({
      status: 'success', desktopAway: true, hibernated: ['idle'], kept: [{ id: 'fails', why: 'DISK_FULL: no room' }, { id: 'starting', why: 'it is starting' }],
    });
  });
  it('leaves alone what is used, and what runs a command', async () => {
    activity = { ...quiet, terminal: quiet.now - 3 * MINUTE };
    expect((await round([vm('used')])).kept).toEqual([{ id: 'used', why: 'it was used 3 min ago' }]);
    activity = { ...quiet, open: { ide: 0, exec: 1, terminal: 0 } };
    expect((await round([vm('builds')])).kept).toEqual([{ id: 'builds', why: 'a command is running in it' }]);
  });
  it('does nothing while a desktop asks now and then; one that fell silent counts as away', async () => {
    const sign = await presence.begin();
    expect(await round([vm('idle')])).toMatchObject({ desktopAway: false, hibernated: [], kept: [{ id: 'idle', why: 'a desktop is connected' }] });
    const old = new Date(Date.now() - 6 * MINUTE);
    utimesSync(join(folder, 'serving', `${process.pid}.json`), old, old);
    expect(await round([vm('idle')])).toMatchObject({ desktopAway: true, hibernated: ['idle'] });
    await sign.end();
    expect(await presence.lastHeard()).toBeNull();
  });
  it('has no sign of whoever only looks at a host that is not set up, and has one once it is', async () => {
    const bare = new PresenceFolder(join(folder, 'state'));
    const sign = await bare.begin();
    expect(await readdir(folder)).toEqual([]);
    await mkdir(join(folder, 'state'));
    await expect.poll(async () => { sign.heard(); return bare.lastHeard(); }, { timeout: 5_000 }).not.toBeNull();
    await sign.end();
  });
  it('takes the sign of an agent that was killed for nothing, and removes it', async () => {
    await mkdir(join(folder, 'serving'), { recursive: true });
    writeFileSync(join(folder, 'serving', '1.json'), JSON.stringify({ pid: 1, startTicks: 999_999_999, bootId: 'another boot' }));
    expect(await presence.lastHeard()).toBeNull();
    expect(await readdir(join(folder, 'serving'))).toEqual([]);
  });
  it('finishes what was cut short on its way to sleep', async () => {
    expect(await round([vm('half', { state: 'hibernated', address: null })])).toMatchObject({ hibernated: [], kept: [] });
    expect(slept).toEqual(['half']);
  });
});
