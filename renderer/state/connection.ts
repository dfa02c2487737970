import type { CallInput, CallName, CallOutput, Client, StreamInput, StreamItem, StreamName } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { createWireClient } from '#shared/wire-client.ts';
import type { Channel } from '#shared/wire.ts';

export type ConnectionState =
  | { readonly phase: 'connecting' }
  | { readonly phase: 'online' }
  /** `retryAt` is null while an attempt is under way. `otherProgram`: another program answers at the page's address, so that Vessel, if it runs, has a new one. */
  | { readonly phase: 'reconnecting'; readonly attempt: number; readonly retryAt: number | null; readonly otherProgram: boolean };

/** What answers at the page's address is not Vessel. */
export class OtherProgramError extends Error {}

export type Connection = {
  /** Stays the same over reconnects. A call made while offline waits for the connection, at most {@link CALL_WAIT_MS}. */
  readonly client: Client;
  retryNow(): void;
  close(): void;
};

/** A person waits this long for a click to have an effect before being told that it cannot. */
export const CALL_WAIT_MS = 8_000;
const FIRST_DELAY_MS = 200;
/** Vessel restarts in about a second; more than 8 s between attempts would feel dead. */
const LAST_DELAY_MS = 8_000;

/** Milliseconds before attempt number `attempt` (1, 2, …): doubles up to a limit, spread by a quarter so that tabs do not come back in step. */
export function backOff(attempt: number, random: number): number {
  return Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1)) * (0.75 + random * 0.5);
}

/** Keeps one channel to Vessel open for as long as the page lives. `open` resolves once the channel can send. */
export function connect(open: () => Promise<Channel>, onState: (state: ConnectionState) => void): Connection {
  let current: Client | null = null;
  let attempt = 0;
  let closed = false;
  let otherProgram = false;
  let timer: ReturnType<typeof setTimeout> | null = null;
  const waiting = new Set<(client: Client) => void>();

  const failed = (error?: unknown): void => {
    if (closed) return;
    attempt += 1;
    otherProgram = error instanceof OtherProgramError;
    const delay = backOff(attempt, Math.random());
    onState({ phase: 'reconnecting', attempt, retryAt: Date.now() + delay, otherProgram });
    timer = setTimeout(dial, delay);
  };
  const dial = (): void => {
    timer = null;
    if (attempt > 0) onState({ phase: 'reconnecting', attempt, retryAt: null, otherProgram });
    open().then((channel) => {
      if (closed) { channel.close(); return; }
      attempt = 0;
      const client = createWireClient(channel);
      current = client;
      channel.onClose(() => { if (current === client) { current = null; failed(); } });
      onState({ phase: 'online' });
      for (const resume of [...waiting]) resume(client);
      waiting.clear();
    }, failed);
  };
  const ready = (signal: AbortSignal | undefined): Promise<Client> => {
    if (current !== null) return Promise.resolve(current);
    return new Promise((resolve, reject) => {
      const resume = (client: Client): void => { stop(); resolve(client); };
      const give = (error: VesselError) => (): void => { stop(); reject(error); };
      const onTimeout = give(new VesselError('HOST_UNREACHABLE', 'Vessel does not answer', { hint: 'Check that Vessel is running (`npx vessel status`); this page reconnects by itself.' }));
      const onAbort = give(new VesselError('CANCELLED'));
      const deadline = setTimeout(onTimeout, CALL_WAIT_MS);
      const stop = (): void => { clearTimeout(deadline); waiting.delete(resume); signal?.removeEventListener('abort', onAbort); };
      signal?.addEventListener('abort', onAbort, { once: true });
      waiting.add(resume);
    });
  };

  onState({ phase: 'connecting' });
  dial();
  return {
    client: {
      async call<N extends CallName>(name: N, input: CallInput<N>, options: { readonly signal?: AbortSignal } = {}): Promise<CallOutput<N>> {
        const client = await ready(options.signal);
        return client.call(name, input, options);
      },
      async *stream<N extends StreamName>(name: N, input: StreamInput<N>, options: { readonly signal?: AbortSignal } = {}): AsyncIterable<StreamItem<N>> {
        const client = await ready(options.signal);
        yield* client.stream(name, input, options);
      },
    },
    retryNow() {
      if (timer === null) return;
      clearTimeout(timer);
      dial();
    },
    close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      current = null;
    },
  };
}
