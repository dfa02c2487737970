import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { HostMethod, HostParams, HostResult, Vm } from '#shared/host-protocol.ts';
import type { HostLink, HostRequestOptions } from '../../ports/host-link.ts';
import { AgentLink } from '../agent-link/agent-link.ts';
import { startChildAgent } from './child-agent.ts';

export type LocalHostOptions = {
  readonly hostId: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Agent's stderr and unasked log lines; the receiver redacts. */
  readonly log: (line: string) => void;
};

/** A connection on this computer is there in a millisecond or not at all. */
const CONNECT_DEADLINE_MS = 5_000;

/** This computer as a host: infra-agent as a child process, guests on loopback addresses. */
export class LocalHostLink implements HostLink {
  readonly hostId: string;
  readonly #agent: AgentLink;

  constructor({ hostId, command, env, log }: LocalHostOptions) {
    this.hostId = hostId;
    this.#agent = new AgentLink({ start: () => startChildAgent(command, env), revives: ({ code }) => code === 'AGENT_LOST', log });
  }

  /** Process id of the running agent, for tests and diagnosis. */
  get agentPid(): number | undefined { return this.#agent.agentPid; }

  request<M extends HostMethod>(method: M, params: HostParams<M>, options: HostRequestOptions = {}): Promise<HostResult<M>> {
    return this.#agent.request(method, params, options);
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

  onVm(listener: (vm: Vm) => void): () => void { return this.#agent.onVm(listener); }
  dispose(): Promise<void> { return this.#agent.dispose(); }
}
