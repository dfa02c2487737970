import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostConnection, HostProbe, HostSsh } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { HostKeeper } from '../ports/host-keeper.ts';
import type { ConnectOptions, RemoteHost, RemoteHosts } from '../ports/remote-host.ts';
import { SshHosts } from '../services/ssh-hosts.ts';
import { FakeHost, makeWorld, type World } from './world.ts';

const probe: HostProbe = { probedAt: 1, roundTripMs: 1, hostname: 'box', user: 'ada', uid: 1000, groups: ['kvm'], os: { id: 'debian', version: '12', name: 'Debian 12' }, kernel: '6', architecture: 'x86_64', cpus: 4, memoryTotalBytes: 1, memoryAvailableBytes: 1, diskFreeBytes: 1, kvm: 'usable', sudo: 'passwordless' };
const nobody: ConnectOptions = { prompter: null, acceptHostKeys: [] };

/** Machines in memory: `refuse` says why one cannot be reached. */
class FakeRemotes implements RemoteHosts {
  refuse: VesselError | null = null;
  readonly forgotten: string[] = [];
  readonly disposed: string[] = [];
  readonly listeners = new Map<string, (connection: HostConnection) => void>();
  nameOf(target: string): string { return target.split('@').at(-1) ?? target; }
  forget({ target }: HostSsh): Promise<void> { this.forgotten.push(target); return Promise.resolve(); }
  make(hostId: string): ReturnType<RemoteHosts['make']> {
    const host = {
      hostId, connection: { state: 'idle', nextTryAt: null, error: null },
      onConnection: (listener) => { this.listeners.set(hostId, listener); return () => { this.listeners.delete(hostId); }; },
      connect: () => this.refuse === null ? Promise.resolve() : Promise.reject(this.refuse),
      probe: () => this.refuse === null ? Promise.resolve(probe) : Promise.reject(this.refuse),
      dispose: () => { this.disposed.push(hostId); return Promise.resolve(); },
    } as Partial<RemoteHost> as RemoteHost;
    const link = Object.assign(new FakeHost(), { hostId });
    link.before = () => Promise.reject(new VesselError('HOST_NOT_READY'));
    return { host, link, keeper: {} as HostKeeper };
  }
}

let world: World;
let remotes: FakeRemotes;
let hosts: SshHosts;
beforeEach(async () => { world = await makeWorld(); remotes = new FakeRemotes(); hosts = new SshHosts(world.context, world.environments.context.hosts, remotes); });
afterEach(() => world.dispose());
const add = (target: string, name?: string): ReturnType<SshHosts['add']> => hosts.add({ target, name, identityFile: undefined }, nobody);

describe('hosts over SSH', () => {
  it('are stored with what was seen of them, under a readable id of their own, and are there after a restart', async () => {
    expect(await add('ada@box')).toMatchObject({ id: 'box', name: 'box', kind: 'ssh', status: 'not-provisioned', ssh: { target: 'ada@box', identityFile: null }, probe, connection: { state: 'idle' } });
    expect((await add('eve@box', 'Box')).id).toBe('box-2');
    await expect(add('ada@box')).rejects.toThrow(expect.objectContaining({ code: 'CONFLICT', details: { hostId: 'box' } }));
    const later = await world.reborn();
    const fresh = new FakeRemotes();
    new SshHosts(later.context, later.environments.context.hosts, fresh);
    expect(later.environments.context.hosts.list().map(({ id, probe: seen }) => [id, seen?.hostname])).toEqual([['box', 'box'], ['box-2', 'box'], ['local', undefined]]);
    expect(later.environments.context.hosts.remote('box')).not.toBeNull();
    world = later;
  });

  it('that cannot be reached are not remembered', async () => {
    remotes.refuse = new VesselError('HOST_KEY_UNKNOWN', undefined, { details: { fingerprint: 'SHA256:x' } });
    await expect(add('ada@box')).rejects.toThrow(expect.objectContaining({ code: 'HOST_KEY_UNKNOWN', details: { fingerprint: 'SHA256:x' } }));
    expect(world.environments.context.hosts.list().map(({ id }) => id)).toEqual(['local']);
    expect(remotes.disposed).toEqual(['box']);
    await expect(hosts.add({ target: 'box', name: undefined, identityFile: 'relative/key' }, nobody)).rejects.toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  it('show the state of their line, and a fresh look when asked', async () => {
    await add('ada@box');
    remotes.listeners.get('box')?.({ state: 'reconnecting', nextTryAt: 5, error: null });
    const list = world.environments.context.hosts.list();
    expect(list.find(({ id }) => id === 'box')?.connection).toEqual({ state: 'reconnecting', nextTryAt: 5, error: null });
    expect((await world.environments.context.hosts.refresh('box')).status).toBe('not-provisioned');
    remotes.refuse = new VesselError('SSH_REFUSED');
    expect((await world.environments.context.hosts.refresh('box')).status).toBe('unreachable');
  });

  it('are removed with what was kept for them, but neither this computer nor one that still has projects', async () => {
    await add('ada@box');
    const project = await world.projects.create({ name: 'A', template: 'blank', hostId: 'box', settings: {} });
    await expect(hosts.remove('box')).rejects.toThrow(expect.objectContaining({ code: 'CONFLICT', details: { projects: [project.id] } }));
    await expect(hosts.remove('local')).rejects.toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    world.projects.delete(project.id);
    await hosts.remove('box');
    expect([remotes.forgotten, remotes.disposed, remotes.listeners.size]).toEqual([['ada@box'], ['box'], 0]);
    await expect(hosts.remove('box')).rejects.toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    expect(world.context.store.hosts.list().map(({ id }) => id)).toEqual(['local']);
  });
});
