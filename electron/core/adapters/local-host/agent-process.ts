import { spawn, type ChildProcess } from 'node:child_process';
import { VesselError } from '#shared/errors.ts';
import { HOST_PROTOCOL_VERSION, HostMessageSchema, type HostMessage } from '#shared/host-protocol.ts';
import { readLines } from './line-reader.ts';

export type AgentProcessOptions = {
  /** Program and arguments up to the verb, e.g. `[node, 'infra-agent.mjs']`. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly onMessage: (message: HostMessage) => void;
  /** One line of the agent's stderr. */
  readonly onNote: (line: string) => void;
  /** Called once, when the process ended or never started. */
  readonly onEnd: (error: VesselError) => void;
};

/** How long the agent may take to leave after its stdin was closed. */
const GRACE_MS = 2_000;
const TAIL_LINES = 20;

/** One run of `infra-agent serve`: requests go down its stdin, messages come up its stdout. */
export class AgentProcess {
  readonly #child: ChildProcess;
  readonly #tail: string[] = [];
  readonly #options: AgentProcessOptions;
  #ended = false;

  constructor(options: AgentProcessOptions) {
    this.#options = options;
    const [program, ...args] = options.command;
    if (program === undefined) throw new VesselError('INTERNAL', 'No command for infra-agent');
    // A process group of its own: Ctrl-C in the terminal that runs Vessel must not end the agent before Vessel has closed it.
    this.#child = spawn(program, [...args, 'serve'], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...options.env }, detached: process.platform !== 'win32', windowsHide: true });
    const { stdin, stdout, stderr } = this.#child;
    if (stdin === null || stdout === null || stderr === null) throw new VesselError('INTERNAL', 'infra-agent has no pipes');
    readLines(stdout, (line) => this.#receive(line), () => this.#fail('infra-agent sent a line without end'));
    readLines(stderr, (line) => { this.#tail.push(line); if (this.#tail.length > TAIL_LINES) this.#tail.shift(); options.onNote(line); }, () => undefined);
    // A write to a dead agent fails here; its end is reported by `exit`.
    stdin.on('error', () => undefined);
    this.#child.on('error', (error) => this.#end(new VesselError('HOST_UNREACHABLE', `infra-agent could not be started: ${error.message}`, { cause: error })));
    this.#child.on('close', (code, signal) => this.#end(new VesselError('AGENT_LOST', `infra-agent ended (${signal ?? `exit code ${code}`})`, { details: { code, signal }, logTail: this.#tail })));
  }

  get alive(): boolean { return !this.#ended; }
  get pid(): number | undefined { return this.#child.pid; }

  send(message: { readonly type: 'request'; readonly id: number; readonly method: string; readonly params: unknown } | { readonly type: 'cancel'; readonly id: number }): void {
    this.#child.stdin?.write(`${JSON.stringify({ v: HOST_PROTOCOL_VERSION, ...message })}\n`);
  }

  /** Closes stdin, which asks the agent to leave; ends it after a grace period. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const gone = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS);
    await gone;
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
      this.#child.kill('SIGTERM');
      return;
    }
    const message = HostMessageSchema.safeParse(value);
    if (message.success) this.#options.onMessage(message.data);
    else this.#options.onNote(`infra-agent sent an unknown message: ${message.error.message}`);
  }

  #fail(why: string): void {
    this.#end(new VesselError('AGENT_LOST', why, { logTail: this.#tail }));
    this.#child.kill('SIGKILL');
  }

  #end(error: VesselError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.onEnd(error);
  }
}
