import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import { hostMethods, type HostMessage, type HostMethod, type HostParams, type HostResult, type Vm } from '#shared/host-protocol.ts';
import type { HostLink, HostRequestOptions } from '../../ports/host-link.ts';
import { AgentProcess } from './agent-process.ts';

export type LocalHostOptions = {
  readonly hostId: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Agent's stderr and unasked log lines; the receiver redacts. */
  readonly log: (line: string) => void;
};

type Pending = { readonly settle: (outcome: { readonly result: unknown } | { readonly error: VesselError }) => void; readonly onMessage: HostRequestOptions['onMessage'] };

/** A connection on this computer is there in a millisecond or not at all. */
const CONNECT_DEADLINE_MS = 5_000;
/** An agent that died is started anew, so that somebody watches the VMs; one that keeps dying less and less often. */
const REVIVE_MS = 250;
const REVIVE_MAX_MS = 30_000;
/** The agent knows how to stop cleanly; after this a cancelled request is given up on here as well. */
const CANCEL_GRACE_MS = 15_000;

/** This computer as a host: infra-agent as a child process, guests on loopback addresses. */
export class LocalHostLink implements HostLink {
  readonly hostId: string;
  readonly #options: LocalHostOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(vm: Vm) => void>();
  #agent: AgentProcess | null = null;
  #nextId = 1;
  #disposed = false;
  #reviveMs = REVIVE_MS;
  #revival: NodeJS.Timeout | null = null;

  constructor(options: LocalHostOptions) {
    this.#options = options;
    this.hostId = options.hostId;
  }

  /** Process id of the running agent, for tests and diagnosis. */
  get agentPid(): number | undefined { return this.#agent?.pid; }

  async request<M extends HostMethod>(method: M, params: HostParams<M>, options: HostRequestOptions = {}): Promise<HostResult<M>> {
    const { signal } = options;
    if (signal?.aborted === true) throw new VesselError('CANCELLED');
    const agent = this.#running();
    const id = this.#nextId++;
    const outcome = await new Promise<{ readonly result: unknown } | { readonly error: VesselError }>((settle) => {
      let grace: NodeJS.Timeout | null = null;
      const cancel = (): void => {
        if (agent.alive) agent.send({ type: 'cancel', id });
        grace = setTimeout(() => this.#settle(id, { error: new VesselError('CANCELLED', 'Cancelled; infra-agent did not confirm') }), CANCEL_GRACE_MS);
      };
      this.#pending.set(id, {
        onMessage: options.onMessage,
        settle: (value) => { signal?.removeEventListener('abort', cancel); if (grace !== null) clearTimeout(grace); settle(value); },
      });
      signal?.addEventListener('abort', cancel, { once: true });
      agent.send({ type: 'request', id, method, params });
    });
    if ('error' in outcome) throw outcome.error;
    const parsed = hostMethods[method].result.safeParse(outcome.result);
    if (!parsed.success) throw new VesselError('HOST_VERSION', `infra-agent answered ${method} in an unknown shape`, { cause: parsed.error, details: { issues: parsed.error.message } });
    return parsed.data as HostResult<M>;
  }

  forward(host: string, port: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      // Node does not resolve *.localhost, and every guest of this computer is on a literal loopback address anyway.
      const socket = connect({ host, port, noDelay: true });
      const fail = (why: string, cause?: Error): void => { socket.destroy(); reject(new VesselError('GUEST_UNREACHABLE', why, { cause, details: { host, port } })); };
      socket.setTimeout(CONNECT_DEADLINE_MS, () => fail('No connection to the guest in time'));
      const onError = (error: Error): void => fail(`No connection to the guest: ${error.message}`, error);
      socket.once('error', onError);
      socket.once('connect', () => { socket.off('error', onError); socket.setTimeout(0); resolve(socket); });
    });
  }

  onVm(listener: (vm: Vm) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    if (this.#revival !== null) clearTimeout(this.#revival);
    const agent = this.#agent;
    this.#agent = null;
    this.#failAll(new VesselError('INTERRUPTED', 'Vessel is closing'));
    await agent?.close();
  }

  #running(): AgentProcess {
    if (this.#disposed) throw new VesselError('INTERRUPTED', 'Vessel is closing');
    if (this.#agent?.alive === true) return this.#agent;
    const agent = new AgentProcess({
      command: this.#options.command,
      env: this.#options.env,
      onMessage: (message) => this.#receive(message),
      onNote: (line) => this.#options.log(`infra-agent: ${line}`),
      onEnd: (error) => {
        if (this.#agent !== agent) return;
        this.#agent = null;
        if (!this.#disposed) this.#options.log(error.message);
        this.#failAll(error);
        if (!this.#disposed && error.code === 'AGENT_LOST') this.#reviveLater();
      },
    });
    this.#agent = agent;
    return agent;
  }

  #reviveLater(): void {
    if (this.#revival !== null) return;
    this.#revival = setTimeout(() => {
      this.#revival = null;
      if (!this.#disposed && this.#listeners.size > 0) this.#running();
    }, this.#reviveMs);
    this.#reviveMs = Math.min(this.#reviveMs * 2, REVIVE_MAX_MS);
  }

  #receive(message: HostMessage): void {
    // It works: the next death is judged by itself.
    this.#reviveMs = REVIVE_MS;
    switch (message.type) {
      case 'result': return this.#settle(message.id, { result: message.result });
      case 'error': return this.#settle(message.id, { error: VesselError.fromShape(message.error) });
      case 'steps': case 'stage': return this.#pending.get(message.id)?.onMessage?.(message);
      case 'log': {
        const owner = message.id === null ? undefined : this.#pending.get(message.id);
        if (owner?.onMessage !== undefined) return owner.onMessage(message);
        return this.#options.log(`infra-agent: ${message.text}`);
      }
      case 'vm': for (const listener of this.#listeners) listener(message.vm); return;
    }
  }

  #settle(id: number, outcome: { readonly result: unknown } | { readonly error: VesselError }): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.settle(outcome);
  }

  #failAll(error: VesselError): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, { error });
  }
}
