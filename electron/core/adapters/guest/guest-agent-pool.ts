import { Agent, type ClientRequestArgs } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** How long an unused connection is kept: shorter than the guest's own limit, longer than the pause between two polls. */
const IDLE_MS = 45_000;
const MAX_IDLE_SOCKETS = 4;

/** Keep-alive connections to one guest over whatever byte stream the host link makes. */
export class GuestAgentPool extends Agent {
  readonly #dial: () => Promise<Duplex>;

  constructor(dial: () => Promise<Duplex>) {
    super({ keepAlive: true, maxFreeSockets: MAX_IDLE_SOCKETS, timeout: IDLE_MS });
    this.#dial = dial;
  }

  override createConnection(_options: ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void): null {
    this.#dial().then(
      (stream) => callback?.(null, asSocket(stream)),
      (error: unknown) => callback?.(error instanceof Error ? error : new Error(String(error)), undefined as never),
    );
    return null;
  }
}

/** Node's HTTP agent calls socket methods that a plain Duplex (an SSH channel) does not have; they may do nothing there. */
function asSocket(stream: Duplex): Duplex {
  if (stream instanceof Socket) return stream;
  const itself = (): Duplex => stream;
  for (const name of ['setKeepAlive', 'setNoDelay', 'setTimeout', 'ref', 'unref'] as const) {
    if (!(name in stream)) Object.defineProperty(stream, name, { value: itself });
  }
  return stream;
}
