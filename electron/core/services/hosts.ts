import { VesselError } from '#shared/errors.ts';
import type { Host } from '#shared/contract.ts';
import type { DoctorResult, HostFacts, HostStep, ProvisionResult, RequestedDriver } from '#shared/host-protocol.ts';
import type { Step } from '#shared/operation.ts';
import type { HostKeeper } from '../ports/host-keeper.ts';
import type { HostLink, HostRequestOptions } from '../ports/host-link.ts';
import type { RemoteHost } from '../ports/remote-host.ts';
import type { HostRecord } from '../ports/store.ts';
import { audit, type ServiceContext } from './context.ts';
import type { StartedOperation } from './operations/operations.ts';

/** Hears of links that come and go. */
export type LinkListener = {
  added(link: HostLink): void;
  removed(hostId: string): void;
  /** The line to a host is up again, or the host became ready: what runs there is not known. */
  returned(link: HostLink): void;
};

/** The hosts and what was last known of them. */
export class Hosts {
  readonly #context: ServiceContext;
  readonly #links: Map<string, HostLink>;
  readonly #remotes = new Map<string, { readonly host: RemoteHost; readonly keeper: HostKeeper; readonly unsubscribe: () => void }>();
  #listener: LinkListener | null = null;

  constructor(context: ServiceContext, links: readonly HostLink[]) {
    this.#context = context;
    this.#links = new Map(links.map((link) => [link.hostId, link]));
    if (context.store.hosts.get('local') === null) {
      context.store.hosts.put({ id: 'local', name: 'This computer', kind: 'local', status: 'unknown', facts: null, factsAt: null });
    }
  }

  get links(): readonly HostLink[] { return [...this.#links.values()]; }

  /** Links to hosts that may run something: one over SSH that was never provisioned has no agent to ask. */
  get inhabited(): readonly HostLink[] {
    return this.links.filter(({ hostId }) => { const record = this.#context.store.hosts.get(hostId); return record !== null && (record.kind === 'local' || record.status !== 'not-provisioned'); });
  }

  listen(listener: LinkListener): void { this.#listener = listener; }

  /** Takes a host over SSH into service. */
  attach(link: HostLink, host: RemoteHost, keeper: HostKeeper): void {
    let wasLost = false;
    const unsubscribe = host.onConnection((connection) => {
      this.#context.feed.setConnection(host.hostId, connection);
      if (connection.state === 'reconnecting' || connection.state === 'down') wasLost = true;
      if (connection.state !== 'connected' || !wasLost) return;
      wasLost = false;
      this.#listener?.returned(link);
    });
    this.#context.feed.setConnection(host.hostId, host.connection);
    this.#remotes.set(host.hostId, { host, keeper, unsubscribe });
    this.#links.set(link.hostId, link);
    this.#listener?.added(link);
  }

  /** Ends the link and the connection. */
  async detach(hostId: string): Promise<void> {
    const link = this.#links.get(hostId);
    const remote = this.#remotes.get(hostId);
    this.#links.delete(hostId);
    this.#remotes.delete(hostId);
    this.#listener?.removed(hostId);
    remote?.unsubscribe();
    await link?.dispose();
    await remote?.host.dispose();
    this.#context.feed.setConnection(hostId, null);
  }

  /** Ends all that were attached; the other links belong to whoever made them. */
  async dispose(): Promise<void> { await Promise.all([...this.#remotes.keys()].map((hostId) => this.detach(hostId))); }

  /** The machine behind a host of kind `ssh`; null for this computer. */
  remote(hostId: string): RemoteHost | null { return this.#remotes.get(hostId)?.host ?? null; }

  /** Who sets the host up; null for this computer, whose agent does that itself. */
  keeper(hostId: string): HostKeeper | null { return this.#remotes.get(hostId)?.keeper ?? null; }

  /** Throws NOT_FOUND. */
  link(hostId: string): HostLink {
    const link = this.#links.get(hostId);
    if (link === undefined) throw new VesselError('NOT_FOUND', `There is no host "${hostId}"`);
    return link;
  }

  list(): readonly Host[] { return this.#context.store.hosts.list().map((record) => this.#context.feed.completeHost(record)); }

  /** The last facts, possibly old; never waits. */
  knownFacts(hostId: string): HostFacts | null { return this.#context.store.hosts.get(hostId)?.facts ?? null; }

  /** The IDE's static files of a host's image as they lie on this computer; null while they do not. Never waits. */
  ideStaticDir(hostId: string): string | null {
    const image = this.knownFacts(hostId)?.image ?? null;
    if (image === null || !this.#remotes.has(hostId)) return image?.ideStaticDir ?? null;
    return this.#context.ideMirror?.directoryOf(hostId, image) ?? null;
  }

  /** Throws what keeps a host from running environments: HOST_NOT_READY, or why the line to it is down. */
  async requireReady(hostId: string, signal: AbortSignal): Promise<void> {
    const { name, status, connection } = await this.refresh(hostId, signal);
    switch (status) {
      case 'ready': return;
      case 'not-provisioned': case 'unknown': throw new VesselError('HOST_NOT_READY', `${name} is not provisioned yet`, { hint: `Provision the host first: \`vessel host provision ${hostId}\`.`, details: { hostId } });
      case 'unreachable': throw connection?.error == null ? new VesselError('HOST_UNREACHABLE', `${name} does not answer`, { details: { hostId } }) : VesselError.fromShape(connection.error);
    }
  }

  /** Asks the host. An unreachable one is a state, not an error. */
  async refresh(hostId: string, signal?: AbortSignal): Promise<Host> {
    let record = this.record(hostId);
    try {
      const remote = this.remote(hostId);
      if (remote !== null) {
        // Somebody asks: also a line that waits for a person is tried again, because they may have repaired it meanwhile.
        await remote.connect({ prompter: null, acceptHostKeys: [], ...(signal === undefined ? {} : { signal }) });
        record = { ...record, probe: await remote.probe(signal) };
      }
      const facts = await this.link(hostId).request('facts', {}, signal === undefined ? {} : { signal });
      if (remote !== null && facts.image !== null) this.#context.ideMirror?.fetch(remote, facts.image).catch((error: unknown) => this.#context.runtime.log(`host ${hostId}: the files of its IDE come from its guests: ${VesselError.from(error).message}`));
      const cameBack = remote !== null && facts.ready && (record.status === 'not-provisioned' || record.status === 'unreachable');
      this.#put({ ...record, status: facts.ready ? 'ready' : 'not-provisioned', facts, factsAt: this.#context.runtime.now() });
      if (cameBack) this.#listener?.returned(this.link(hostId));
    } catch (error) {
      const known = VesselError.from(error);
      if (known.code === 'CANCELLED' || known.code === 'INTERRUPTED') throw known;
      this.#context.runtime.log(`host ${hostId}: ${known.code} ${known.message}`);
      this.#put({ ...record, status: known.code === 'HOST_NOT_READY' ? 'not-provisioned' : 'unreachable' });
    }
    return this.#context.feed.completeHost(this.record(hostId));
  }

  plan(hostId: string, drivers: readonly RequestedDriver[], signal: AbortSignal): Promise<ProvisionResult> {
    return this.keeper(hostId)?.plan({ signal }, drivers) ?? this.link(hostId).request('provision', { dryRun: true, drivers: [...drivers] }, { signal });
  }

  doctor(hostId: string, signal: AbortSignal): Promise<DoctorResult> {
    return this.keeper(hostId)?.doctor({ signal }) ?? this.link(hostId).request('doctor', {}, { signal });
  }

  provision(hostId: string, drivers: readonly RequestedDriver[]): StartedOperation {
    const { name } = this.record(hostId);
    return this.#run('provision', hostId, `Provision ${name}`, (options) => this.keeper(hostId)?.provision(options, drivers) ?? this.link(hostId).request('provision', { dryRun: false, drivers: [...drivers] }, options), { drivers });
  }

  unprovision(hostId: string): StartedOperation {
    const { name, facts } = this.record(hostId);
    const busy = this.#context.store.environments.list().filter((environment) => environment.hostId === hostId && ['starting', 'running', 'stopping', 'hibernated'].includes(environment.state));
    if (busy.length > 0) throw new VesselError('BUSY', `${busy.length} environments still run on this host`, { hint: 'Save & Exit them first.', details: { projects: busy.map((environment) => environment.projectId), facts: facts !== null } });
    return this.#run('unprovision', hostId, `Remove Vessel from ${name}`, (options) => this.keeper(hostId)?.unprovision(options) ?? this.link(hostId).request('unprovision', { dryRun: false }, options));
  }

  #run(kind: 'provision' | 'unprovision', hostId: string, title: string, ask: (options: HostRequestOptions) => Promise<unknown>, input: Readonly<Record<string, unknown>> = {}): StartedOperation {
    type State = { result: unknown };
    return this.#context.operations.start<State>({
      kind, title, projectId: null, hostId, cancellable: true, request: { call: `hosts.${kind}`, input: { hostId, ...input } }, state: { result: null },
      steps: [{
        id: kind, title, weight: 1,
        run: async (context) => {
          const clock = new StepClock(this.#context.runtime.now);
          context.state.result = await ask({
            signal: context.signal,
            onMessage: (message) => {
              if (message.type === 'steps') context.showSteps(clock.translate(message.steps));
              else if (message.type === 'log') context.log(message.text, message.level);
              else context.progress(message.progress, message.stage);
            },
          });
          await this.refresh(hostId, context.signal);
          audit(this.#context, { kind: `host.${kind}`, hostId, operationId: context.operationId, text: `${title}: done` });
        },
      }],
      result: (state) => state.result,
      onFailure: async () => { await this.refresh(hostId); },
    });
  }

  /** Throws NOT_FOUND. */
  record(hostId: string): HostRecord {
    const record = this.#context.store.hosts.get(hostId);
    if (record === null) throw new VesselError('NOT_FOUND', `There is no host "${hostId}"`);
    return record;
  }

  #put(record: HostRecord): void {
    this.#context.store.hosts.put(record);
    this.#context.feed.host(record.id);
  }
}

/** The host tells states without times; the times are when we first saw each. */
class StepClock {
  readonly #now: () => number;
  readonly #started = new Map<string, number>();
  readonly #ended = new Map<string, number>();

  constructor(now: () => number) { this.#now = now; }

  translate(steps: readonly HostStep[]): readonly Step[] {
    return steps.map((step) => {
      const state = STATES[step.state];
      if (state !== 'pending' && !this.#started.has(step.id)) this.#started.set(step.id, this.#now());
      const over = state === 'done' || state === 'failed' || state === 'skipped';
      if (over && !this.#ended.has(step.id)) this.#ended.set(step.id, this.#now());
      const plan = step.plan.join('; ');
      return {
        id: step.id, title: step.title, weight: step.weight, state, progress: over ? 1 : step.progress ?? 0, detail: step.evidence === '' ? plan : step.evidence,
        startedAt: this.#started.get(step.id) ?? null, endedAt: over ? this.#ended.get(step.id) ?? null : null,
      };
    });
  }
}

const STATES = { missing: 'pending', present: 'skipped', running: 'running', done: 'done', failed: 'failed', skipped: 'skipped' } as const;
