import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallInput, CallName, CallOutput, Client } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { vesselHome } from '#shared/paths.ts';
import { connectToRunning, type Connection } from './connection.ts';
import type { Runtime } from './runtime.ts';
import { connectOrStart } from './start-server.ts';

const RECONNECT_POLL_MS = 200;

/** One command's line to Vessel: opened when first needed, opened again when it was lost, closed at the end. */
export class Session {
  readonly home: string;
  readonly #runtime: Runtime;
  readonly #mayStart: boolean;
  #connection: Connection | null = null;

  constructor(runtime: Runtime, mayStart: boolean) {
    this.#runtime = runtime;
    this.#mayStart = mayStart;
    this.home = resolve(runtime.cwd, vesselHome(runtime.env, runtime.homeDirectory));
  }

  /** The running Vessel, started if need be and allowed. Throws SERVER_UNREACHABLE or SERVER_START_FAILED. */
  async connect(): Promise<Connection> {
    if (this.#connection !== null && !this.#connection.lost()) return this.#connection;
    this.#connection = this.#mayStart ? (await connectOrStart(this.#runtime, this.home)).connection : await this.connectIfRunning();
    if (this.#connection === null) throw new VesselError('SERVER_UNREACHABLE', `Vessel does not run in ${this.home}`);
    return this.#connection;
  }

  /** The running Vessel, or null. */
  async connectIfRunning(): Promise<Connection | null> {
    if (this.#connection !== null && !this.#connection.lost()) return this.#connection;
    this.#connection = await connectToRunning(this.home);
    return this.#connection;
  }

  /** Waits for Vessel to come back without starting one. Throws SERVER_UNREACHABLE after `deadlineMs`. */
  async reconnect(deadlineMs: number): Promise<Connection> {
    const deadline = Date.now() + deadlineMs;
    for (;;) {
      const connection = await this.connectIfRunning();
      if (connection !== null) return connection;
      if (Date.now() > deadline) throw new VesselError('SERVER_UNREACHABLE', `Vessel has been silent for ${Math.round(deadlineMs / 1000)} s`);
      await sleep(RECONNECT_POLL_MS);
    }
  }

  async client(): Promise<Client> {
    return (await this.connect()).client;
  }

  async call<N extends CallName>(name: N, input: CallInput<N>, signal?: AbortSignal): Promise<CallOutput<N>> {
    const client = await this.client();
    return client.call(name, input, signal === undefined ? {} : { signal });
  }

  close(): void {
    this.#connection?.close();
    this.#connection = null;
  }
}
