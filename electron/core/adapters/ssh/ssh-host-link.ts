import type { Duplex } from 'node:stream';
import type { VesselError } from '#shared/errors.ts';
import type { HostMethod, HostParams, HostResult, Vm } from '#shared/host-protocol.ts';
import type { HostLink, HostRequestOptions } from '../../ports/host-link.ts';
import type { RemoteHost } from '../../ports/remote-host.ts';
import { AgentLink } from '../agent-link/agent-link.ts';
import type { RootCommand } from './host-setup/root-access.ts';
import { startRemoteAgent } from './remote-agent.ts';
import { WarmChannels } from './warm-channels.ts';

export type SshHostLinkOptions = {
  readonly host: RemoteHost;
  /** Program and arguments of infra-agent on the host, up to the verb. Throws HOST_NOT_READY while it is not provisioned. */
  readonly agentCommand: () => Promise<RootCommand>;
  readonly log: (line: string) => void;
};

/**
 * A machine over SSH as a host: infra-agent on a channel of the kept connection, guests through forwarded channels. Requests
 * that a break of the line catches fail with SSH_CONNECTION_LOST; the agent is started again on the next connection.
 * The host itself belongs to whoever made it: disposing the link ends the agent, not the connection.
 */
export class SshHostLink implements HostLink {
  readonly hostId: string;
  readonly #warm: WarmChannels;
  readonly #agent: AgentLink;

  constructor({ host, agentCommand, log }: SshHostLinkOptions) {
    this.hostId = host.hostId;
    this.#warm = new WarmChannels((address, port) => host.forward(address, port));
    this.#agent = new AgentLink({ start: () => startRemoteAgent(host, agentCommand), revives: (error) => revives(error), log });
  }

  request<M extends HostMethod>(method: M, params: HostParams<M>, options: HostRequestOptions = {}): Promise<HostResult<M>> { return this.#agent.request(method, params, options); }
  forward(host: string, port: number): Promise<Duplex> { return this.#warm.take(host, port); }
  onVm(listener: (vm: Vm) => void): () => void { return this.#agent.onVm(listener); }
  /** Lets the agent go once nobody waits for it; the next request starts the one that is installed then. */
  release(): Promise<void> { return this.#agent.release(); }
  dispose(): Promise<void> { this.#warm.dispose(); return this.#agent.dispose(); }
}

/** A password that sudo no longer takes must not be tried again and again: accounts are locked for that. */
const REFUSED_PASSWORD = /sorry, try again|incorrect password/i;
const revives = ({ code, retryable, logTail }: VesselError): boolean =>
  (code === 'AGENT_LOST' && !logTail.some((line) => REFUSED_PASSWORD.test(line))) || (retryable && code.startsWith('SSH_'));
