import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { VesselError } from '#shared/errors.ts';
import type { GuestActivity, GuestProgram } from '#shared/guest-protocol.ts';
import type { DiskSpace, HostMethod, HostParams, HostResult, Vm } from '#shared/host-protocol.ts';
import type { Operation } from '#shared/operation.ts';
import type { Project } from '#shared/project.ts';
import { archiveReader } from '../adapters/archive/archive-reader.ts';
import { localCopies } from '../adapters/safe-copies/local-copies.ts';
import { textTools } from '../adapters/text-diff/text-tools.ts';
import { siblingSource } from '../services/fsck.ts';
import { Offline } from '../services/offline.ts';
import type { SafeCopies } from '../ports/safe-copies.ts';
import { makeArchiver } from '../adapters/archive/archiver.ts';
import { storedZip, type FixtureEntry } from '../adapters/archive/stored-zip.fixture.ts';
import { openLocalColdStore } from '../adapters/cold-local/cold-store.ts';
import { makeLocalFiles } from '../adapters/files/local-files.ts';
import { openStore } from '../adapters/sqlite/store.ts';
import type { ColdStore } from '../ports/cold-store.ts';
import type { Gateway } from '../ports/gateway.ts';
import type { GuestClient, GuestConnector } from '../ports/guest.ts';
import type { HostLink, HostRequestOptions } from '../ports/host-link.ts';
import { TEMPLATES } from '../templates/index.ts';
import type { ServiceContext } from '../services/context.ts';
import { History } from '../services/history.ts';
import { Operations, type StartedOperation } from '../services/operations/operations.ts';
import { Projects } from '../services/projects.ts';
import { StateFeed } from '../services/state-feed.ts';
import { Environments } from '../services/environments/environments.ts';

/** Where it exists, files live in memory: dozens of stores with their fsyncs would otherwise take the time of the tests. */
const MEMORY = '/dev/shm';

/** A guest in memory: its files, its counter, its moods. */
export class FakeGuest {
  files: FixtureEntry[] = [];
  counter = 1;
  hydrated: Buffer | null = null;
  silent = false;
  activity: Partial<GuestActivity> = {};
  /** Called while the workspace is read. */
  onRead: () => void = () => undefined;
  saves = 0;
  /** What a person runs inside; a stubborn one does not end when asked. */
  programs: { readonly pid: number; readonly command: string; readonly stubborn: boolean; readonly onEnd?: () => void }[] = [];
  /** What is written through a memory map: noticed by a look only. */
  mapped: { readonly name: string; readonly data: string }[] = [];
  /** Paths that change whenever somebody looks. */
  changing: string[] = [];
  /** Null for a guest that cannot hold still. */
  hold: number | null = 0;
  held = false;
  /** An agent of an image from before these calls. */
  old = false;
  readonly #waiting: (() => void)[] = [];

  /** Waits, as a real writer does, while everything is held still. */
  write(name: string, data: string): void {
    if (this.held) { this.#waiting.push(() => this.write(name, data)); return; }
    this.files = [...this.files.filter((file) => file.name !== name), { name, data }];
    this.counter += 1;
  }

  client(now: () => number): GuestClient {
    const known = <T>(value: () => T): Promise<T> => answer(() => { if (this.old) throw new VesselError('NOT_FOUND', 'there is no such call'); return value(); });
    const tell = (how: GuestProgram['how']) => ({ pid, command }: { readonly pid: number; readonly command: string }): GuestProgram => ({ pid, command, wrote: [], how });
    const answer = <T>(value: () => T): Promise<T> => (this.silent ? Promise.reject(new VesselError('GUEST_UNREACHABLE')) : Promise.resolve().then(value));
    return {
      health: () => answer(() => ({ v: 1, agent: 'fake', ideReady: true, ide: { name: 'code-server' as const, version: '1', commit: null }, hostname: 'h', now: now(), bootedAt: 1 })),
      activity: (options) => answer(() => { if (options?.look === true) for (const { name, data } of this.mapped.splice(0)) this.write(name, data); return { now: now(), ide: null, terminal: null, http: null, file: null, exec: null, open: { ide: 0, exec: 0, terminal: 0 }, changeCounter: this.counter, ...(this.held ? { hold: this.hold ?? 0 } : {}), ...this.activity }; }),
      metrics: () => Promise.reject(new VesselError('INTERNAL')),
      ports: () => answer(() => []),
      putWorkspace: async (zip) => { this.hydrated = await buffer(zip); return { entries: 1, files: 1, contentBytes: 1 }; },
      saveWorkspace: () => answer(() => {
        this.saves += 1;
        const { files } = this;
        this.onRead();
        const summary = { entries: files.length, files: files.length, contentBytes: 0, leftOut: [], changedWhileReading: [], changeCounter: this.counter };
        return { content: Readable.from([storedZip(files)], { objectMode: false }).pipe(new PassThrough()), summary: Promise.resolve(summary) };
      }),
      programs: () => known(() => ({ programs: this.programs.map(tell('running')), changing: [...this.changing] })),
      endPrograms: () => known(() => {
        const all = this.programs;
        this.programs = all.filter(({ stubborn }) => stubborn);
        for (const { stubborn, onEnd } of all) if (!stubborn) onEnd?.();
        return { programs: all.map((one) => tell(one.stubborn ? 'running' : 'ended')(one)), changing: [] };
      }),
      holdStill: () => known(() => {
        if (this.hold === null) throw new VesselError('INTERNAL', 'this file system cannot be frozen');
        if (!this.held) this.hold += 1;
        this.held = true;
        return { hold: this.hold };
      }),
      release: () => known(() => {
        this.held = false;
        for (const go of this.#waiting.splice(0)) go();
      }),
      exec: () => Promise.reject(new VesselError('INTERNAL')),
      close: () => undefined,
    };
  }
}

/** A host in memory with the VMs that tests put there. */
export class FakeHost implements HostLink {
  readonly hostId = 'local';
  readonly vms = new Map<string, Vm>();
  readonly guests = new Map<string, FakeGuest>();
  readonly calls: string[] = [];
  /** Answers or breaks a call instead of the host. */
  before: (method: HostMethod, id: string) => Promise<void> = () => Promise.resolve();
  #listener: ((vm: Vm) => void) | null = null;

  run(id: string, change: Partial<Vm> = {}): FakeGuest {
    const vm: Vm = { id, driver: 'process', state: 'running', tier: 'medium', address: { host: '127.0.0.1', port: 1 }, token: `token-of-${id}`.padEnd(32, 'x'), startKind: 'clone', createdAt: 1, startedAt: 1, imageKey: 'k', pid: 1, problem: null, ...change };
    const guest = this.guests.get(id) ?? new FakeGuest();
    this.vms.set(id, vm);
    this.guests.set(id, guest);
    return guest;
  }

  die(id: string): void {
    const vm = this.vms.get(id);
    this.vms.delete(id);
    if (vm !== undefined) this.#listener?.({ ...vm, state: 'stopped', address: null });
  }

  /** What the host's timer does while the desktop is away. */
  sleep(id: string): void {
    const vm = this.vms.get(id);
    if (vm === undefined) throw new VesselError('VM_NOT_FOUND');
    const asleep: Vm = { ...vm, state: 'hibernated', address: null, pid: null, sleep: { at: 1, bytes: 1, changeCounter: this.guests.get(id)?.counter ?? null } };
    this.vms.set(id, asleep);
    this.#listener?.(asleep);
  }

  /** Holds one still, or (null) lets it go on. */
  hold(id: string, problem: string | null): void {
    const vm = this.vms.get(id);
    if (vm === undefined) return;
    this.vms.set(id, { ...vm, problem });
    this.#listener?.({ ...vm, problem });
  }

  /** What it says about its disk. */
  disk: DiskSpace | undefined;

  async request<M extends HostMethod>(method: M, params: HostParams<M>, options: HostRequestOptions = {}): Promise<HostResult<M>> {
    const id = 'id' in params ? params.id : '';
    this.calls.push(`${method} ${id}`.trim());
    await this.before(method, id);
    if (options.signal?.aborted === true) throw new VesselError('CANCELLED');
    switch (method) {
      case 'start': {
        if (this.vms.has(id)) throw new VesselError('VM_EXISTS');
        this.guests.delete(id);
        this.run(id);
        return { status: 'success', vm: this.vms.get(id), ip: '127.0.0.1', url: 'u', timings: [{ stage: 'clone', ms: 5 }] } as never;
      }
      case 'stop': { const existed = this.vms.delete(id); return { status: 'success', existed } as never; }
      case 'hibernate': { this.sleep(id); return { status: 'success', vm: this.vms.get(id), timings: [] } as never; }
      case 'resume': {
        const vm = this.vms.get(id);
        if (vm === undefined) throw new VesselError('VM_NOT_FOUND');
        this.run(id, { address: { host: '127.0.0.1', port: 2 } });
        return { status: 'success', vm: this.vms.get(id), ip: '127.0.0.1', url: 'u', timings: [] } as never;
      }
      case 'inspect': { const vm = this.vms.get(id); if (vm === undefined) throw new VesselError('VM_NOT_FOUND'); return vm as never; }
      case 'list': return { vms: [...this.vms.values()], disk: this.disk } as never;
      default: throw new VesselError('HOST_UNREACHABLE', `no ${method} here`);
    }
  }

  forward(): Promise<never> { return Promise.reject(new VesselError('GUEST_UNREACHABLE')); }
  onVm(listener: (vm: Vm) => void): () => void { this.#listener = listener; return () => { this.#listener = null; }; }
  dispose(): Promise<void> { return Promise.resolve(); }
}

export type World = {
  readonly context: ServiceContext; readonly environments: Environments; readonly projects: Projects; readonly history: History; readonly offline: Offline; readonly host: FakeHost;
  readonly home: string;
  /** The clock; tests push it forward. */
  readonly clock: { now: number };
  /** Replaces one method of the cold store for a while. */
  readonly cold: ColdStore;
  guest(projectId: string): FakeGuest;
  end(started: StartedOperation): Promise<Operation>;
  /** Creates a project and opens it. */
  opened(): Promise<Project>;
  state(projectId: string): { readonly state: string | undefined; readonly code: string | undefined; readonly head: number | undefined };
  /** Another Vessel on the same home and host, after this one ended. */
  reborn(): Promise<World>;
  dispose(): Promise<void>;
};

/** All services over a real store, a real cold store and a real archiver; host and guests in memory. */
export async function makeWorld(given: { readonly home?: string; readonly host?: FakeHost; readonly clock?: { now: number }; readonly remote?: (local: ColdStore) => ColdStore; readonly copies?: (cold: ColdStore) => Promise<SafeCopies>; /** Instead of the guests in memory. */ readonly connectGuest?: GuestConnector } = {}): Promise<World> {
  const home = given.home ?? mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'vessel-world-'));
  const clock = given.clock ?? { now: 1_700_000_000_000 };
  const host = given.host ?? new FakeHost();
  const runtime = { now: () => clock.now, log: () => undefined, fault: () => undefined };
  const store = openStore(join(home, 'vessel.db'));
  const local = await openLocalColdStore(join(home, 'cold'));
  const cold = { ...(given.remote?.(local) ?? local) };
  const operations = new Operations(store, runtime);
  const feed = new StateFeed(store, operations);
  const gateway = { port: 1, urlFor: ({ projectId }: { projectId: string }) => ({ url: `http://${projectId}.localhost:1/?t`, origin: `http://${projectId}.localhost:1` }) } as unknown as Gateway;
  const context: ServiceContext = {
    store, cold, runtime, operations, feed, archiver: makeArchiver((id, name) => TEMPLATES[id](name)), files: makeLocalFiles(join(home, 'spool')), gateway: () => gateway,
    connectGuest: given.connectGuest ?? (({ token }) => {
      const id = [...host.vms.values()].find((vm) => vm.token === token)?.id ?? '';
      return (host.guests.get(id) ?? new FakeGuest()).client(runtime.now);
    }),
    probeIde: async () => undefined,
  };
  const environments = new Environments(context, [host]);
  const projects = new Projects(context);
  const history = new History(context, projects);
  const offline = new Offline({ context, projects, history, reader: archiveReader, texts: textTools, copies: await given.copies?.(cold) ?? localCopies(cold), sources: [siblingSource(context)] });
  const close = async (): Promise<void> => { await offline.close(); await operations.close(); await environments.dispose(); feed.close(); store.close(); };
  const world: World = {
    context, environments, projects, history, offline, host, home, clock, cold,
    guest: (id) => { const guest = host.guests.get(id); if (guest === undefined) throw new Error(`no guest ${id}`); return guest; },
    end: ({ done }) => done,
    opened: async () => {
      const project = await projects.create({ name: 'A', template: 'node', hostId: 'local', settings: {} });
      const { error } = await environments.open(project.id).done;
      if (error !== null) throw new Error(`${error.code} ${error.message}`);
      return project;
    },
    state: (id) => { const project = projects.get(id); return { state: project.environment?.state, code: project.environment?.error?.code, head: project.head?.rev }; },
    reborn: async () => { await close(); return makeWorld({ home, host, clock }); },
    dispose: async () => { await close(); rmSync(home, { recursive: true, force: true }); },
  };
  return world;
}
