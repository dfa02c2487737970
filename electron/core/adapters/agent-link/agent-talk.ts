import type { Readable, Writable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import { HOST_PROTOCOL_VERSION, HostMessageSchema, type HostMessage } from '#shared/host-protocol.ts';
import { readLines } from './line-reader.ts';

/** How an agent that runs somewhere is talked to: the child's pipes, or a channel that may still be opening. */
export type AgentTransport = {
  /** Takes writes at once, whether or not the agent has started yet. */
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Process id, where it is known. */
  readonly pid: number | undefined;
  /** Resolves, never rejects, once it ended or could not be started, to the reason; the agent's last words are added here. */
  readonly ended: Promise<VesselError>;
  /** Ends it without asking. */
  kill(): void;
};

export type AgentTalkOptions = {
  readonly onMessage: (message: HostMessage) => void;
  /** One line of the agent's stderr. */
  readonly onNote: (line: string) => void;
  /** Called once, when the agent ended or never started. */
  readonly onEnd: (error: VesselError) => void;
};

/** How long the agent may take to leave after its stdin was closed. */
const GRACE_MS = 2_000;
const TAIL_LINES = 20;

/** One run of `infra-agent serve`: requests go down its stdin, messages come up its stdout. */
export class AgentTalk {
  readonly #transport: AgentTransport;
  readonly #tail: string[] = [];
  readonly #options: AgentTalkOptions;
  #over = false;

  constructor(transport: AgentTransport, options: AgentTalkOptions) {
    this.#transport = transport;
    this.#options = options;
    const { stdin, stdout, stderr, ended } = transport;
    readLines(stdout, (line) => this.#receive(line), () => this.#fail('infra-agent sent a line without end'));
    readLines(stderr, (line) => { this.#tail.push(line); if (this.#tail.length > TAIL_LINES) this.#tail.shift(); options.onNote(line); }, () => undefined);
    // A write to a dead agent fails here; its end is reported by `ended`.
    stdin.on('error', () => undefined);
    void ended.then((error) => this.#end(new VesselError(error.code, error.message, { cause: error, hint: error.hint, retryable: error.retryable, details: error.details, logTail: this.#tail })));
  }

  get alive(): boolean { return !this.#over; }
  get pid(): number | undefined { return this.#transport.pid; }

  send(message: { readonly type: 'request'; readonly id: number; readonly method: string; readonly params: unknown } | { readonly type: 'cancel'; readonly id: number }): void {
    this.#transport.stdin.write(`${JSON.stringify({ v: HOST_PROTOCOL_VERSION, ...message })}\n`);
  }

  /** Closes stdin, which asks the agent to leave; ends it after a grace period. */
  async close(): Promise<void> {
    if (this.#over) return;
    this.#transport.stdin.end();
    const timer = setTimeout(() => this.#transport.kill(), GRACE_MS);
    await this.#transport.ended;
    clearTimeout(timer);
  }

  #receive(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      this.#options.onNote(`infra-agent sent something that is not JSON (${String(error)})`);
      return;
    }
    const version = (value as { readonly v?: unknown } | null)?.v;
    if (version !== HOST_PROTOCOL_VERSION) {
      this.#end(new VesselError('HOST_VERSION', `infra-agent speaks version ${String(version)}, this Vessel ${HOST_PROTOCOL_VERSION}`, { details: { theirs: version, ours: HOST_PROTOCOL_VERSION } }));
      this.#transport.kill();
      return;
    }
    const message = HostMessageSchema.safeParse(value);
    if (message.success) this.#options.onMessage(message.data);
    else this.#options.onNote(`infra-agent sent an unknown message: ${message.error.message}`);
  }

  #fail(why: string): void {
    this.#end(new VesselError('AGENT_LOST', why, { logTail: this.#tail }));
    this.#transport.kill();
  }

  #end(error: VesselError): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.onEnd(error);
  }
}
