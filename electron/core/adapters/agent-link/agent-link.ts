import { VesselError } from '#shared/errors.ts';
import { hostMethods, type HostMessage, type HostMethod, type HostParams, type HostResult, type Vm } from '#shared/host-protocol.ts';
import type { HostRequestOptions } from '../../ports/host-link.ts';
import { AgentTalk, type AgentTransport } from './agent-talk.ts';

export type AgentLinkOptions = {
  readonly start: () => AgentTransport;
  /** Whether an agent that ended so is started anew, so that somebody watches the VMs. */
  readonly revives: (error: VesselError) => boolean;
  /** Agent's stderr and unasked log lines; the receiver redacts. */
  readonly log: (line: string) => void;
};

type Outcome = { readonly result: unknown } | { readonly error: VesselError };
type Pending = { readonly settle: (outcome: Outcome) => void; readonly onMessage: HostRequestOptions['onMessage'] };

/** An agent that died is started anew, one that keeps dying less and less often. */
const REVIVE_MS = 250;
const REVIVE_MAX_MS = 30_000;
/** The agent knows how to stop cleanly; after this a cancelled request is given up on here as well. */
const CANCEL_GRACE_MS = 15_000;

/** The half of a host link that is the same for every host: requests, their answers and messages, and agents that end. */
export class AgentLink {
  readonly #options: AgentLinkOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(vm: Vm) => void>();
  readonly #idle = new Set<() => void>();
  #agent: AgentTalk | null = null;
  #nextId = 1;
  #disposed = false;
  #reviveMs = REVIVE_MS;
  #revival: NodeJS.Timeout | null = null;

  constructor(options: AgentLinkOptions) { this.#options = options; }

  get agentPid(): number | undefined { return this.#agent?.pid; }

  async request<M extends HostMethod>(method: M, params: HostParams<M>, options: HostRequestOptions = {}): Promise<HostResult<M>> {
    const { signal } = options;
    if (signal?.aborted === true) throw new VesselError('CANCELLED');
    const agent = this.#running();
    const id = this.#nextId++;
    const outcome = await new Promise<Outcome>((settle) => {
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

  onVm(listener: (vm: Vm) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the agent that runs, once its requests are answered: the next request starts another. */
  async release(): Promise<void> {
    while (this.#pending.size > 0) await new Promise<void>((resolve) => { this.#idle.add(resolve); });
    const agent = this.#agent;
    this.#agent = null;
    await agent?.close();
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    if (this.#revival !== null) clearTimeout(this.#revival);
    const agent = this.#agent;
    this.#agent = null;
    this.#failAll(new VesselError('INTERRUPTED', 'Vessel is closing'));
    await agent?.close();
  }

  #running(): AgentTalk {
    if (this.#disposed) throw new VesselError('INTERRUPTED', 'Vessel is closing');
    if (this.#agent?.alive === true) return this.#agent;
    const agent = new AgentTalk(this.#options.start(), {
      onMessage: (message) => this.#receive(message),
      onNote: (line) => this.#options.log(`infra-agent: ${line}`),
      onEnd: (error) => {
        if (this.#agent !== agent) return;
        this.#agent = null;
        if (!this.#disposed) this.#options.log(error.message);
        this.#failAll(error);
        if (!this.#disposed && this.#options.revives(error)) this.#reviveLater();
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

  /** What a listener makes of a message (writing it down on a full disk, say) is no reason to lose the agent, or the process. */
  #receive(message: HostMessage): void {
    try {
      this.#handle(message);
    } catch (error) {
      const known = VesselError.from(error);
      this.#options.log(`a message of infra-agent (${message.type}) could not be handled: ${known.code} ${known.message}`);
    }
  }

  #handle(message: HostMessage): void {
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
      case 'vm': return this.#tell(message.vm);
    }
  }

  /** One that fails does not keep the others from hearing it. */
  #tell(vm: Vm): void {
    const failures: unknown[] = [];
    for (const listener of this.#listeners) {
      try {
        listener(vm);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  #settle(id: number, outcome: Outcome): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.settle(outcome);
    if (this.#pending.size > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }

  #failAll(error: VesselError): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, { error });
  }
}
