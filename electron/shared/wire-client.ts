import { allCalls, streams, type CallInput, type CallName, type CallOutput, type Client, type StreamInput, type StreamItem, type StreamName } from './contract.ts';
import { VesselError } from './errors.ts';
import { ServerFrameSchema, type Channel, type ClientFrame } from './wire.ts';

type Pending = {
  next(value: unknown): void;
  end(value: unknown): void;
  fail(error: VesselError): void;
};
type Options = { readonly signal?: AbortSignal };

/**
 * The caller's side of the wire, the same in the browser, in the CLI and in tests.
 *
 * When the channel closes, everything under way fails with HOST_UNREACHABLE (retryable); the owner makes a new channel and
 * a new client. Results are parsed against the contract, so a version mismatch is an error at the boundary and not later.
 */
export function createWireClient(channel: Channel): Client {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let closed = false;

  const send = (frame: ClientFrame): void => channel.send(JSON.stringify(frame));

  channel.onMessage((text) => {
    const frame = ServerFrameSchema.parse(JSON.parse(text));
    const waiting = pending.get(frame.id);
    if (waiting === undefined) return; // cancelled here while the answer was on its way
    switch (frame.t) {
      case 'next': waiting.next(frame.value); return;
      case 'result': pending.delete(frame.id); waiting.end(frame.value); return;
      case 'end': pending.delete(frame.id); waiting.end(undefined); return;
      case 'error': pending.delete(frame.id); waiting.fail(VesselError.fromShape(frame.error)); return;
    }
  });
  channel.onClose(() => {
    closed = true;
    const all = [...pending.values()];
    pending.clear();
    for (const waiting of all) waiting.fail(lost());
  });

  /** Registers a request; the returned function cancels it on the other side and forgets it here. */
  const begin = (t: 'call' | 'stream', name: string, input: unknown, waiting: Pending): (() => void) => {
    lastId += 1;
    const id = lastId;
    pending.set(id, waiting);
    send({ t, id, name, input });
    return () => { if (pending.delete(id)) send({ t: 'cancel', id }); };
  };

  return {
    call<N extends CallName>(name: N, input: CallInput<N>, options: Options = {}): Promise<CallOutput<N>> {
      return new Promise((resolve, reject) => {
        if (closed) { reject(lost()); return; }
        if (options.signal?.aborted === true) { reject(new VesselError('CANCELLED')); return; }
        const settle = (act: () => void): void => { options.signal?.removeEventListener('abort', onAbort); act(); };
        const cancel = begin('call', name, input, {
          next: () => undefined,
          end: (value) => settle(() => {
            const parsed = allCalls[name].output.safeParse(value);
            if (parsed.success) resolve(parsed.data as CallOutput<N>);
            else reject(new VesselError('INTERNAL', `The answer to ${name} does not fit the contract`, { cause: parsed.error }));
          }),
          fail: (error) => settle(() => reject(error)),
        });
        const onAbort = (): void => { cancel(); reject(new VesselError('CANCELLED')); };
        options.signal?.addEventListener('abort', onAbort, { once: true });
      });
    },

    async *stream<N extends StreamName>(name: N, input: StreamInput<N>, options: Options = {}): AsyncIterable<StreamItem<N>> {
      if (closed) throw lost();
      if (options.signal?.aborted === true) throw new VesselError('CANCELLED');
      const items: unknown[] = [];
      let done = false;
      let failure: VesselError | null = null;
      let wake: () => void = () => undefined;
      const cancel = begin('stream', name, input, {
        next: (value) => { items.push(value); wake(); },
        end: () => { done = true; wake(); },
        fail: (error) => { failure = error; wake(); },
      });
      const onAbort = (): void => { cancel(); failure = new VesselError('CANCELLED'); wake(); };
      options.signal?.addEventListener('abort', onAbort, { once: true });
      try {
        for (;;) {
          while (items.length > 0) yield streams[name].item.parse(items.shift()) as StreamItem<N>;
          if (failure !== null) throw failure as VesselError;
          if (done) return;
          await new Promise<void>((resolve) => { wake = resolve; });
        }
      } finally {
        options.signal?.removeEventListener('abort', onAbort);
        cancel();
      }
    },
  };
}

function lost(): VesselError {
  return new VesselError('HOST_UNREACHABLE', 'The connection to Vessel was lost', { retryable: true, hint: 'Vessel reconnects by itself; if it does not, start it again.' });
}
