import type { Duplex } from 'node:stream';
import type { GuestHealth } from '#shared/guest-protocol.ts';
import type { Vm } from '#shared/host-protocol.ts';
import { VesselError } from '#shared/errors.ts';
import type { Route, RouteTable } from '../../ports/gateway.ts';
import type { GuestClient } from '../../ports/guest.ts';
import type { HostLink } from '../../ports/host-link.ts';
import type { ServiceContext } from '../context.ts';
import type { Hosts } from '../hosts.ts';
import { WayIn } from './way-in.ts';

/** A VM that runs now, with the way to its agent. */
export type LiveEnvironment = {
  readonly projectId: string;
  readonly link: HostLink;
  readonly vm: Vm;
  readonly client: GuestClient;
  /** How browsers get there; null when the host gave no address. */
  readonly way: WayIn | null;
  readonly ide: GuestHealth['ide'] | null;
  /** Whether the gateway may let anybody in. */
  routeOpen: boolean;
  /** The last IDE or HTTP traffic at the gateway, Unix ms. */
  gatewayAt: number | null;
  /** When the workspace was last known to be in the cold store, Unix ms. */
  lastSaveAt: number;
  /** After a failed idle stop the next try waits until then. */
  idleRetryAt: number;
  readonly streams: Set<Duplex>;
};

/** A person who waits may shorten the pause between two attempts to reach a host, but not to nothing. */
const KNOCK_MS = 2_000;

/** The running environments of this process, and the gateway's view of them. */
export class LiveEnvironments implements RouteTable {
  readonly #context: ServiceContext;
  readonly #hosts: Hosts;
  readonly #knocked = new Map<string, number>();
  readonly #live = new Map<string, LiveEnvironment>();
  /** The image that each environment was made from, as its host last said. */
  readonly #images = new Map<string, string>();

  constructor(context: ServiceContext, hosts: Hosts) {
    this.#context = context;
    this.#hosts = hosts;
  }

  get size(): number { return this.#live.size; }
  all(): readonly LiveEnvironment[] { return [...this.#live.values()]; }
  find(projectId: string): LiveEnvironment | null { return this.#live.get(projectId) ?? null; }

  /** Throws VM_NOT_FOUND when nothing runs. */
  get(projectId: string): LiveEnvironment {
    const live = this.#live.get(projectId);
    if (live === undefined) throw new VesselError('VM_NOT_FOUND', 'This project is not open', { hint: 'Open the project first.', details: { projectId } });
    return live;
  }

  /** Registers a VM; its route stays closed. */
  add(projectId: string, link: HostLink, vm: Vm, ide: GuestHealth['ide'] | null): LiveEnvironment {
    this.remove(projectId);
    const live: LiveEnvironment = {
      projectId, link, vm, ide, client: this.connect(link, vm), way: this.#wayIn(link, vm), routeOpen: false, gatewayAt: null, lastSaveAt: this.#context.runtime.now(), idleRetryAt: 0, streams: new Set(),
    };
    this.#live.set(projectId, live);
    this.noteImage(vm);
    return live;
  }

  /** One that sleeps keeps the image that it came from, when its host has a newer one by now. */
  noteImage({ id, imageKey }: Vm): void { this.#images.set(id, imageKey); }

  /** Of the image that a project would be opened with; null when that one's files are not there. */
  #staticDirFor(projectId: string, hostId: string, asleep: boolean): string | null {
    const own = asleep ? this.#images.get(projectId) : undefined;
    const isOlder = own !== undefined && own !== (this.#hosts.knownFacts(hostId)?.image?.key ?? own);
    return isOlder ? null : this.#hosts.ideStaticDir(hostId);
  }

  /** A client for a VM's agent. Throws GUEST_UNREACHABLE when the host gave no address or token. */
  connect(link: HostLink, vm: Vm): GuestClient {
    const { address, token } = vm;
    if (address === null || token === null) throw new VesselError('GUEST_UNREACHABLE', 'The host knows no address of this environment', { details: { vmId: vm.id, state: vm.state } });
    return this.#context.connectGuest({ token, dial: () => link.forward(address.host, address.port) });
  }

  remove(projectId: string): void {
    const live = this.#live.get(projectId);
    if (live === undefined) return;
    this.closeRoute(live);
    live.client.close();
    live.way?.end();
    this.#live.delete(projectId);
  }

  openRoute(live: LiveEnvironment): void {
    if (!live.routeOpen) void live.way?.prove(`${live.projectId}.localhost`);
    live.routeOpen = true;
  }

  #wayIn(link: HostLink, { address }: Vm): WayIn | null {
    // On this computer Traefik would only be a detour.
    const front = this.#hosts.remote(link.hostId) === null ? null : this.#hosts.knownFacts(link.hostId)?.front ?? null;
    return address === null ? null : new WayIn({ link, guest: address, front, log: (line) => this.#context.runtime.log(line) });
  }

  /** Nobody comes in any more, and those inside are cut off. */
  closeRoute(live: LiveEnvironment): void {
    live.routeOpen = false;
    for (const stream of live.streams) stream.destroy();
    live.streams.clear();
  }

  resolve(projectId: string): Route {
    const live = this.#live.get(projectId);
    const token = live?.vm.token ?? null;
    const way = live?.way ?? null;
    const record = this.#context.store.environments.get(projectId);
    if (record !== null && (live?.routeOpen === true || record.state === 'running')) {
      const line = this.#context.feed.connection(record.hostId);
      // Right after a start of Vessel what runs on a host far away is not adopted yet.
      if (line !== null && (line.state !== 'connected' || live === undefined)) {
        return { kind: 'unreachable', name: this.#context.store.projects.get(projectId)?.name ?? projectId, hostName: this.#context.store.hosts.get(record.hostId)?.name ?? record.hostId, waits: line.state !== 'down' };
      }
    }
    if (live?.routeOpen === true && live.ide !== null && way !== null && token !== null) {
      return {
        kind: 'running', token, ide: live.ide, ideStaticDir: this.#hosts.ideStaticDir(live.link.hostId),
        dial: async () => {
          const stream = await way.dial();
          live.streams.add(stream);
          stream.once('close', () => live.streams.delete(stream));
          return stream;
        },
      };
    }
    const project = this.#context.store.projects.get(projectId);
    if (project === null) return { kind: 'unknown' };
    const state = project.environment?.state;
    const ideStaticDir = this.#staticDirFor(projectId, project.hostId, state === 'hibernated');
    const active = this.#context.operations.active(projectId, null);
    // An opening that has only begun has not changed the state yet.
    if (active?.kind === 'open' || state === 'requested' || state === 'starting') {
      return { kind: 'starting', operationId: active?.id ?? null, ideStaticDir };
    }
    if (state === 'stopping' || state === 'destroying') return { kind: 'stopping', name: project.name };
    return { kind: 'not-running', name: project.name, ideStaticDir };
  }

  noteWaiting(projectId: string): void {
    const hostId = this.#context.store.environments.get(projectId)?.hostId;
    const now = this.#context.runtime.now();
    if (hostId === undefined || now - (this.#knocked.get(hostId) ?? 0) < KNOCK_MS || this.#context.feed.connection(hostId)?.state !== 'reconnecting') return;
    this.#knocked.set(hostId, now);
    // Its failure shows in the state of the line.
    this.#hosts.remote(hostId)?.connect({ prompter: null, acceptHostKeys: [] }).catch(() => undefined);
  }

  noteActivity(projectId: string): void {
    const live = this.#live.get(projectId);
    if (live !== undefined) live.gatewayAt = this.#context.runtime.now();
  }
}
