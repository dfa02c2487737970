import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostConnection } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { HostKeeper } from '../ports/host-keeper.ts';
import type { RemoteHost } from '../ports/remote-host.ts';
import { FakeHost, makeWorld, type World } from './world.ts';

const UP: HostConnection = { state: 'connected', nextTryAt: null, error: null };
const AWAY: HostConnection = { state: 'reconnecting', nextTryAt: 1, error: new VesselError('SSH_CONNECTION_LOST').toShape() };

let world: World;
let far: FakeHost;
let line: (connection: HostConnection) => void;
let knocks = 0;

beforeEach(async () => {
  far = Object.assign(new FakeHost(), { hostId: 'far' });
  world = await makeWorld();
  const { context } = world.environments;
  // Guests of both hosts are found by their token.
  Object.assign(world.context, { connectGuest: ({ token }: { readonly token: string }) => {
    const all = [...world.host.vms.values(), ...far.vms.values()];
    const id = all.find((vm) => vm.token === token)?.id ?? '';
    return (far.guests.get(id) ?? world.guest(id)).client(() => world.clock.now);
  } });
  world.context.store.hosts.put({ id: 'far', name: 'Far', kind: 'ssh', status: 'ready', facts: null, factsAt: null });
  knocks = 0;
  const host = { hostId: 'far', connection: UP, onConnection: (listener) => { line = listener; return () => undefined; }, connect: () => { knocks += 1; return Promise.resolve(); }, dispose: () => Promise.resolve() } as Partial<RemoteHost> as RemoteHost;
  context.hosts.attach(far, host, {} as HostKeeper);
});
afterEach(() => world.dispose());

const create = async (hostId: string): Promise<string> => (await world.projects.create({ name: 'A', template: 'node', hostId, settings: {} })).id;
const open = async (projectId: string): Promise<void> => { expect((await world.environments.open(projectId).done).error).toBeNull(); };

describe('a project', () => {
  it('runs where it lives, and its environment remembers where that was', async () => {
    const id = await create('far');
    await open(id);
    expect([far.vms.has(id), world.host.vms.has(id)]).toEqual([true, false]);
    await expect(world.environments.move(id, 'local')).rejects.toMatchObject({ code: 'ILLEGAL_TRANSITION' });
    expect((await world.environments.close(id).done).error).toBeNull();
    await world.environments.move(id, 'local');
    expect(world.projects.get(id)).toMatchObject({ hostId: 'local', environment: { hostId: 'far', state: 'destroyed' } });
    await open(id);
    expect([far.vms.has(id), world.host.vms.has(id)]).toEqual([false, true]);
    await expect(world.environments.move(id, 'nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('whose machine died is moved only once its remains are gone', async () => {
    const id = await create('far');
    await open(id);
    far.die(id);
    expect(world.state(id).code).toBe('VM_DIED');
    far.before = () => Promise.reject(new VesselError('SSH_REFUSED'));
    await expect(world.environments.move(id, 'local')).rejects.toMatchObject({ code: 'SSH_REFUSED' });
    far.before = () => Promise.resolve();
    await world.environments.move(id, 'local');
    expect(far.calls).toContain(`stop ${id}`);
    expect(world.projects.get(id).hostId).toBe('local');
  });
});

describe('machines that nobody knows', () => {
  it('are kept apart by host: one host’s list does not hide the other’s', async () => {
    world.host.run('here-1');
    far.run('there-1');
    await Promise.all([world.environments.ensureReconciled('local'), world.environments.ensureReconciled('far')]);
    expect(world.context.feed.orphans.map(({ hostId, vmId }) => `${hostId}/${vmId}`).toSorted()).toEqual(['far/there-1', 'local/here-1']);
    await world.environments.watch();
    expect(world.context.feed.orphans).toHaveLength(2);
  });

  it('include one of a project that runs on another host', async () => {
    const id = await create('local');
    await open(id);
    far.run(id);
    await world.environments.ensureReconciled('far');
    expect(world.context.feed.orphans).toEqual([{ hostId: 'far', vmId: id, startedAt: 1, knownProject: true }]);
  });
});

describe('a line that is down', () => {
  it('is shown on what runs behind it, and on nothing else', async () => {
    const [near, away] = [await create('local'), await create('far')];
    await open(near);
    await open(away);
    const { live } = world.environments.context;
    expect(live.resolve(away).kind).toBe('running');
    line(AWAY);
    expect(world.projects.get(away).environment).toMatchObject({ state: 'running', connection: 'reconnecting' });
    expect(world.projects.get(near).environment?.connection).toBeUndefined();
    expect(live.resolve(away)).toEqual({ kind: 'unreachable', name: 'A', hostName: 'Far', waits: true });
    expect(live.resolve(near).kind).toBe('running');
    line({ ...AWAY, state: 'down', nextTryAt: null });
    expect(live.resolve(away)).toMatchObject({ kind: 'unreachable', waits: false });
    expect(world.projects.get(away).environment?.connection).toBe('down');
    line(UP);
    expect(live.resolve(away).kind).toBe('running');
  });

  it('is knocked at for somebody who waits, but not all the time', async () => {
    const id = await create('far');
    await open(id);
    const { live } = world.environments.context;
    line(AWAY);
    // The look at a host that follows its first open connects as well.
    await new Promise((resolve) => setImmediate(resolve));
    knocks = 0;
    live.noteWaiting(id);
    live.noteWaiting(id);
    world.clock.now += 3_000;
    live.noteWaiting(id);
    line(UP);
    world.clock.now += 3_000;
    live.noteWaiting(id);
    expect(knocks).toBe(2);
  });

  it('names itself as the reason of a save that it cut off, and keeps what was there', async () => {
    const id = await create('far');
    await open(id);
    const guest = far.guests.get(id);
    guest?.write('a', 'changed');
    if (guest !== undefined) guest.onRead = () => { line(AWAY); throw new VesselError('GUEST_UNREACHABLE', 'the stream was cut'); };
    const { error } = await world.environments.close(id).done;
    expect(error).toMatchObject({ code: 'SSH_CONNECTION_LOST', retryable: true });
    expect(world.projects.get(id)).toMatchObject({ head: { rev: 1 }, environment: { state: 'running', connection: 'reconnecting', dirty: true } });
  });

  it('that is back has the host asked again, and an open that it cut off is cleaned up', async () => {
    world.environments.start();
    await world.environments.ensureReconciled('far');
    const id = await create('far');
    far.before = (method) => { if (method === 'list' || method === 'stop' || method === 'start') { line(AWAY); return Promise.reject(new VesselError('SSH_CONNECTION_LOST')); } return Promise.resolve(); };
    far.before = ((usual) => (method, vm) => (method === 'list' && far.calls.filter((call) => call === 'list').length < 2 ? Promise.resolve() : usual(method, vm)))(far.before);
    const { error } = await world.environments.open(id).done;
    expect(error).toMatchObject({ code: 'SSH_CONNECTION_LOST' });
    far.before = () => Promise.resolve();
    far.run(id);
    line(UP);
    await expect.poll(() => [world.state(id).state ?? 'destroyed', far.vms.size]).toEqual(['destroyed', 0]);
  });
});
