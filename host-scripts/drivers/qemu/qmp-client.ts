import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';

const EventSchema = z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).default({}) });
export type QmpEvent = z.infer<typeof EventSchema>;
/** The longest answer that is asked for has a few kilobytes; a hypervisor that was taken over must not fill our memory. */
const MAX_LINE_CHARS = 1024 * 1024;
const MessageSchema = z.union([
  z.object({ return: z.unknown(), id: z.number() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.number().optional() }),
  EventSchema,
  z.object({ QMP: z.unknown() }),
]);

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (error: VesselError) => void; readonly command: string };
type Waiter = { readonly matches: (event: QmpEvent) => boolean; readonly resolve: (event: QmpEvent) => void; readonly reject: (error: VesselError) => void };

/**
 * QEMU's control channel (QMP, one JSON object a line) over an already connected stream. Commands may be sent at once: QEMU
 * works them off in order, the greeting need not be awaited. When the stream ends, everything pending rejects with VM_DIED.
 */
export class QmpClient {
  readonly #stream: Duplex;
  readonly #pending = new Map<number, Pending>();
  readonly #waiters = new Set<Waiter>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #nextId = 1;
  #rest = '';
  #ended: VesselError | null = null;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => this.#receive(chunk));
    stream.on('error', (error: Error) => this.#end(new VesselError('VM_DIED', `the hypervisor's control channel broke: ${error.message}`, { cause: error })));
    stream.on('close', () => this.#end(new VesselError('VM_DIED', 'the hypervisor closed its control channel')));
    stream.on('end', () => this.#end(new VesselError('VM_DIED', 'the hypervisor closed its control channel')));
  }

  /** Sends a command; resolves to its return value, rejects with VM_START_FAILED when QEMU refuses it. */
  execute(command: string, argumentsOf: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, command });
      this.#stream.write(`${JSON.stringify({ execute: command, arguments: argumentsOf, id })}\n`);
    });
  }

  /** The first event from now on that matches. Ask before sending the command that causes it. */
  waitForEvent(matches: (event: QmpEvent) => boolean, signal: AbortSignal): Promise<QmpEvent> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', aborted);
      };
      const aborted = (): void => {
        settle();
        reject(VesselError.from(signal.reason));
      };
      const waiter: Waiter = {
        matches,
        resolve: (event) => { settle(); resolve(event); },
        reject: (error) => { settle(); reject(error); },
      };
      if (signal.aborted) return aborted();
      signal.addEventListener('abort', aborted);
      this.#waiters.add(waiter);
    });
  }

  onEvent(listener: (event: QmpEvent) => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#stream.destroy();
  }

  #receive(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE_CHARS) {
      this.#end(new VesselError('VM_DIED', 'the hypervisor sent a line without end over its control channel'));
      this.close();
      return;
    }
    for (const line of lines) if (line.trim() !== '') this.#handle(line);
  }

  #handle(line: string): void {
    let message: z.infer<typeof MessageSchema>;
    try {
      message = MessageSchema.parse(JSON.parse(line));
    } catch (error) {
      this.#end(new VesselError('VM_DIED', 'the hypervisor said something that is not QMP', { cause: error, details: { line: line.slice(0, 200) } }));
      return;
    }
    if ('event' in message) {
      for (const waiter of [...this.#waiters]) if (waiter.matches(message)) waiter.resolve(message);
      for (const listener of this.#listeners) listener(message);
    } else if ('error' in message) {
      const pending = message.id === undefined ? undefined : this.#take(message.id);
      pending?.reject(new VesselError('VM_START_FAILED', `the hypervisor refuses ${pending.command}: ${message.error.desc}`));
    } else if ('id' in message) {
      this.#take(message.id)?.resolve(message.return);
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #end(error: VesselError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
