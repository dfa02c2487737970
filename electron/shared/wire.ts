import { z } from 'zod';
import { ErrorShapeSchema } from './errors.ts';

/**
 * The frames of the WebSocket at `/api/socket` (JSON text, one frame a message), the same for every door.
 * `id` is chosen by the client and is unique on its connection.
 */
export const ClientFrameSchema = z.discriminatedUnion('t', [
  z.object({ t: z.literal('call'), id: z.number().int(), name: z.string(), input: z.unknown() }),
  z.object({ t: z.literal('stream'), id: z.number().int(), name: z.string(), input: z.unknown() }),
  z.object({ t: z.literal('cancel'), id: z.number().int() }),
]);
export type ClientFrame = z.infer<typeof ClientFrameSchema>;
export const ServerFrameSchema = z.discriminatedUnion('t', [
  z.object({ t: z.literal('result'), id: z.number().int(), value: z.unknown() }),
  z.object({ t: z.literal('next'), id: z.number().int(), value: z.unknown() }),
  z.object({ t: z.literal('end'), id: z.number().int() }),
  z.object({ t: z.literal('error'), id: z.number().int(), error: ErrorShapeSchema }),
]);
export type ServerFrame = z.infer<typeof ServerFrameSchema>;

/** A duplex text channel: a WebSocket in production, a pair of queues in process. `send` after close is a no-op. */
export type Channel = {
  send(text: string): void;
  onMessage(listener: (text: string) => void): void;
  /** Called once, also when the channel is already closed. */
  onClose(listener: () => void): void;
  /** Resolves when the peer has taken enough of what was sent; used for back-pressure of streams. */
  drained(): Promise<void>;
  close(): void;
};

/** Two connected channels in one process; messages arrive in order in later microtasks. */
export function channelPair(): readonly [Channel, Channel] {
  type End = { listeners: ((text: string) => void)[]; closers: (() => void)[]; backlog: string[] };
  const ends: readonly [End, End] = [{ listeners: [], closers: [], backlog: [] }, { listeners: [], closers: [], backlog: [] }];
  let closed = false;
  const deliver = (end: End, text: string): void => queueMicrotask(() => {
    if (end.listeners.length === 0) end.backlog.push(text);
    else for (const listener of end.listeners) listener(text);
  });
  const make = (mine: End, theirs: End): Channel => ({
    send: (text) => { if (!closed) deliver(theirs, text); },
    onMessage: (listener) => {
      mine.listeners.push(listener);
      for (const text of mine.backlog.splice(0)) listener(text);
    },
    onClose: (listener) => { if (closed) listener(); else mine.closers.push(listener); },
    drained: () => Promise.resolve(),
    close: () => {
      if (closed) return;
      closed = true;
      for (const listener of [...mine.closers, ...theirs.closers]) listener();
    },
  });
  return [make(ends[0], ends[1]), make(ends[1], ends[0])];
}
