import { z } from 'zod';
import { allCalls, streams, type CallContext, type CallName, type Handlers, type StreamName } from './contract.ts';
import { VesselError } from './errors.ts';
import { ClientFrameSchema, type Channel, type ServerFrame } from './wire.ts';

/**
 * Answers one connection from the router. Inputs are parsed here, once; handlers trust them.
 *
 * Closing the channel aborts everything that this connection asked for. Long work that must outlive a window is an
 * operation and does not hang on the signal of the call that started it.
 */
export function serveWire(handlers: Handlers, channel: Channel): void {
  const running = new Map<number, AbortController>();
  const send = (frame: ServerFrame): void => channel.send(JSON.stringify(frame));

  channel.onClose(() => {
    for (const controller of running.values()) controller.abort();
    running.clear();
  });
  channel.onMessage((text) => {
    const frame = ClientFrameSchema.safeParse(parseJson(text));
    if (!frame.success) {
      channel.close();
      return;
    }
    const { data } = frame;
    if (data.t === 'cancel') {
      running.get(data.id)?.abort();
      running.delete(data.id);
      return;
    }
    if (running.has(data.id)) {
      send({ t: 'error', id: data.id, error: new VesselError('BAD_REQUEST', `The id ${data.id} is already in use`).toShape() });
      return;
    }
    const controller = new AbortController();
    running.set(data.id, controller);
    const work = data.t === 'call'
      ? answerCall(handlers, data.name, data.input, { signal: controller.signal }).then((value) => send({ t: 'result', id: data.id, value }))
      : answerStream(handlers, data.name, data.input, { signal: controller.signal }, async (value) => {
        send({ t: 'next', id: data.id, value });
        await channel.drained();
      }).then(() => send({ t: 'end', id: data.id }));
    work
      .catch((error: unknown) => send({ t: 'error', id: data.id, error: VesselError.from(error).toShape() }))
      .finally(() => running.delete(data.id));
  });
}

/** One call by name, for every door that has no socket (HTTP, in process). Throws BAD_REQUEST for an unknown name or input that does not fit. */
export async function answerCall(handlers: Handlers, name: string, input: unknown, context: CallContext): Promise<unknown> {
  if (!Object.hasOwn(allCalls, name)) throw new VesselError('BAD_REQUEST', `There is no call named ${JSON.stringify(name)}`);
  const call = name as CallName;
  const handler = handlers.calls[call] as (parsed: unknown, context: CallContext) => Promise<unknown>;
  return handler(parseInput(allCalls[call].input, input, name), context);
}

async function answerStream(handlers: Handlers, name: string, input: unknown, context: CallContext, next: (value: unknown) => Promise<void>): Promise<void> {
  if (!Object.hasOwn(streams, name)) throw new VesselError('BAD_REQUEST', `There is no stream named ${JSON.stringify(name)}`);
  const stream = name as StreamName;
  const handler = handlers.streams[stream] as (parsed: unknown, context: CallContext) => AsyncIterable<unknown>;
  for await (const item of handler(parseInput(streams[stream].input, input, name), context)) {
    if (context.signal.aborted) return;
    await next(item);
  }
}

function parseInput(schema: z.ZodType, input: unknown, name: string): unknown {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new VesselError('BAD_REQUEST', `${name}: ${z.prettifyError(parsed.error)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it, and the connection is closed
  }
}
