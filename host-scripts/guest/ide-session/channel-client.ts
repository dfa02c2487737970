import { VesselError } from '#shared/errors.ts';
import type { IdeConnection } from './connection.ts';
import { encodeValue, ValueReader, type WireValue } from './wire-values.ts';

/** Heads of messages between the two ends of a channel (`vs/base/parts/ipc/common/ipc.ts`). */
const REQUEST = { call: 100, listen: 102, initialized: 200 } as const;
const RESPONSE = { value: 201, error: 202, errorValue: 203, event: 204 } as const;

/** Calls of VS Code's services by their channel's name, over a management connection. */
export class ChannelClient {
  readonly #connection: IdeConnection;
  readonly #calls = new Map<number, (answered: boolean) => void>();
  readonly #listeners = new Map<number, (event: WireValue) => void>();
  #lastId = 0;

  constructor(connection: IdeConnection, context: Readonly<Record<string, unknown>>) {
    this.#connection = connection;
    connection.onMessage((data) => this.#receive(data));
    connection.send(encodeValue(context));
    this.#send([REQUEST.initialized], undefined);
  }

  /**
   * Resolves with whether the service answered with a value rather than an error: a file that is not there is an answer too. Rejects
   * with GUEST_UNREACHABLE when the connection ends first.
   */
  async call(channel: string, name: string, argument?: WireValue): Promise<boolean> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<boolean>((resolve) => { this.#calls.set(id, resolve); });
    this.#send([REQUEST.call, id, channel, name], argument);
    const cut = this.#connection.closed.then(() => { throw new VesselError('GUEST_UNREACHABLE', `VS Code went away before it answered ${channel}.${name}`); });
    return Promise.race([answer, cut]);
  }

  listen(channel: string, event: string, argument?: WireValue, onEvent?: (event: WireValue) => void): void {
    this.#lastId += 1;
    if (onEvent !== undefined) this.#listeners.set(this.#lastId, onEvent);
    this.#send([REQUEST.listen, this.#lastId, channel, event], argument);
  }

  #send(head: WireValue, body: WireValue): void { this.#connection.send(Buffer.concat([encodeValue(head), encodeValue(body)])); }

  #receive(data: Buffer): void {
    const reader = new ValueReader(data);
    const head = reader.next();
    if (!Array.isArray(head)) return;
    const [kind, id] = head as readonly unknown[];
    if (kind === RESPONSE.event && typeof id === 'number') this.#listeners.get(id)?.(reader.next());
    if (typeof id !== 'number' || (kind !== RESPONSE.value && kind !== RESPONSE.error && kind !== RESPONSE.errorValue)) return;
    this.#calls.get(id)?.(kind === RESPONSE.value);
    this.#calls.delete(id);
  }
}
