import type { Duplex } from 'node:stream';
import type { HostMessage, HostMethod, HostParams, HostResult, Vm } from '#shared/host-protocol.ts';

export type HostRequestOptions = {
  readonly signal?: AbortSignal;
  /** Steps, stages and log lines of this request, as they come. */
  readonly onMessage?: (message: Extract<HostMessage, { type: 'steps' | 'stage' | 'log' }>) => void;
};

/**
 * One host and its infra-agent. Adapters: a local child process; later SSH.
 * The agent is started on first use and again after it died (requests under way then fail with AGENT_LOST).
 */
export type HostLink = {
  readonly hostId: string;
  request<M extends HostMethod>(method: M, params: HostParams<M>, options?: HostRequestOptions): Promise<HostResult<M>>;
  /** A byte stream to an address that the host can reach (a guest agent). Rejects with GUEST_UNREACHABLE. */
  forward(host: string, port: number): Promise<Duplex>;
  /** Unasked changes of VMs. Returns the unsubscribe function. */
  onVm(listener: (vm: Vm) => void): () => void;
  dispose(): Promise<void>;
};
