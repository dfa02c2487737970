import type { Host, HostSsh } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { ConnectOptions, RemoteHosts } from '../ports/remote-host.ts';
import { audit, type ServiceContext } from './context.ts';
import type { Hosts } from './hosts.ts';

export type AddHost = { readonly target: string; readonly name: string | undefined; readonly identityFile: string | undefined };

/** Hosts that are reached over SSH: added after a look at them, forgotten again. What runs on them is the business of {@link Hosts}. */
export class SshHosts {
  readonly #context: ServiceContext;
  readonly #hosts: Hosts;
  readonly #remote: RemoteHosts;
  /** Targets being added, with the id each will have: two clicks at once are one host. */
  readonly #adding = new Map<string, string>();

  constructor(context: ServiceContext, hosts: Hosts, remote: RemoteHosts) {
    this.#context = context;
    this.#hosts = hosts;
    this.#remote = remote;
    for (const record of context.store.hosts.list()) {
      if (record.kind !== 'ssh' || record.ssh === undefined) continue;
      try {
        this.#attach(record.id, record.ssh);
      } catch (error) {
        // A configuration that was broken meanwhile must not keep Vessel from starting; the host can be removed or repaired.
        context.runtime.log(`host ${record.id}: ${VesselError.from(error).message}`);
      }
    }
  }

  /** Connects, looks, remembers. Leaves nothing behind when it fails. Throws SSH_…, HOST_KEY_…, CONFLICT, BAD_REQUEST. */
  async add({ target, name, identityFile }: AddHost, options: ConnectOptions): Promise<Host> {
    const { store, runtime, feed } = this.#context;
    if (identityFile !== undefined && !identityFile.startsWith('/') && !/^[A-Za-z]:[\\/]/.test(identityFile)) throw new VesselError('BAD_REQUEST', `"${identityFile}" is no absolute path`);
    const ssh: HostSsh = { target: target.trim(), identityFile: identityFile ?? null };
    const known = store.hosts.list().find((record) => record.ssh?.target === ssh.target);
    if (known !== undefined) throw new VesselError('CONFLICT', `${ssh.target} is already known as "${known.id}"`, { retryable: false, hint: `Use it, or remove it first: \`vessel host remove ${known.id}\`.`, details: { hostId: known.id } });
    if (this.#adding.has(ssh.target)) throw new VesselError('BUSY', `${ssh.target} is being added just now`);
    const title = name ?? this.#remote.nameOf(ssh.target);
    const id = this.#freeId(title);
    this.#adding.set(ssh.target, id);
    try {
      const { host, link, keeper } = this.#remote.make(id, ssh);
      try {
        await host.connect(options);
        const probe = await host.probe(options.signal);
        store.hosts.put({ id, name: title, kind: 'ssh', status: 'not-provisioned', facts: null, factsAt: null, ssh, probe });
        audit(this.#context, { kind: 'host.added', hostId: id, text: `Added ${title} (${ssh.target})`, data: { target: ssh.target } });
        runtime.log(`host ${id}: added (${probe.os.name}, ${probe.architecture})`);
        this.#hosts.attach(link, host, keeper);
        feed.host(id);
        return feed.completeHost(this.#hosts.record(id));
      } catch (error) {
        await link.dispose();
        await host.dispose();
        throw error;
      }
    } finally {
      this.#adding.delete(ssh.target);
    }
  }

  /** Connects again, asking whom `options` names; then looks anew. Throws what stands in the way. */
  async connect(hostId: string, options: ConnectOptions): Promise<Host> {
    const remote = this.#hosts.remote(hostId);
    if (remote === null) throw new VesselError('BAD_REQUEST', `${this.#hosts.record(hostId).name} is not reached over SSH`);
    await remote.connect(options);
    // Its agent runs as root: where sudo wants a password, this is the moment to ask for it.
    if (options.prompter !== null && this.#hosts.record(hostId).status !== 'not-provisioned') await this.authorize(hostId, options);
    return this.#hosts.refresh(hostId, options.signal);
  }

  /** Connects and makes sure of root's rights, asking whom `options` names; nothing to do on this computer. */
  async authorize(hostId: string, options: ConnectOptions): Promise<void> {
    await this.#hosts.keeper(hostId)?.authorize(options);
  }

  async remove(hostId: string): Promise<void> {
    const { store, feed } = this.#context;
    const record = this.#hosts.record(hostId);
    if (record.kind !== 'ssh') throw new VesselError('BAD_REQUEST', 'This computer is always a host', { hint: 'Use `vessel host unprovision local` to take Vessel off it.' });
    const projects = store.projects.list(false).filter((project) => project.hostId === hostId || (project.environment?.hostId === hostId && project.environment.state !== 'destroyed'));
    if (projects.length > 0) throw new VesselError('CONFLICT', `${projects.length} ${projects.length === 1 ? 'project is' : 'projects are'} still on ${record.name}: ${projects.map(({ id }) => id).join(', ')}`, { retryable: false, hint: 'Delete them or move them to another host first.', details: { projects: projects.map(({ id }) => id) } });
    if (this.#context.operations.active(null, hostId) !== null) throw new VesselError('BUSY', `An operation is working on ${record.name}`);
    await this.#hosts.detach(hostId);
    store.hosts.remove(hostId);
    if (record.ssh !== undefined) await this.#remote.forget(record.ssh);
    audit(this.#context, { kind: 'host.removed', hostId, text: `Removed ${record.name}` });
    feed.hostRemoved(hostId);
  }

  #attach(hostId: string, ssh: HostSsh): void {
    const { host, link, keeper } = this.#remote.make(hostId, ssh);
    this.#hosts.attach(link, host, keeper);
  }

  /** A readable id that is free: `build-box`, `build-box-2`. */
  #freeId(title: string): string {
    const slug = title.normalize('NFKD').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|(?<!-)-+$/g, '').slice(0, 30);
    const base = slug === '' ? 'host' : slug;
    for (let number = 1; ; number += 1) {
      const id = number === 1 ? base : `${base}-${number}`;
      if (this.#context.store.hosts.get(id) === null && ![...this.#adding.values()].includes(id)) return id;
    }
  }
}
