import { randomUUID } from 'node:crypto';
import { VesselError } from '#shared/errors.ts';
import type { GuestAddress } from '../guest-client.ts';
import { encodeFrame, FRAME, FrameReader } from './frames.ts';

export type IdeEndpoint = { readonly address: GuestAddress; readonly token: string; /** Commit of the IDE's build; the server speaks to no other. */ readonly commit: string };
type Purpose = { readonly kind: 'management' } | { readonly kind: 'extensionHost'; readonly args: Readonly<Record<string, unknown>> };

const PURPOSE_NUMBER = { management: 1, extensionHost: 2 } as const;
/** Servers without a connection token expect this constant. */
const NO_TOKEN = '00000000000000000000';

/** One connection of a browser to VS Code's server, as its workbench opens it. */
export class IdeConnection {
  readonly #socket: WebSocket;
  readonly #reader = new FrameReader();
  readonly #waiting: ((control: Readonly<Record<string, unknown>>) => void)[] = [];
  #sent = 0;
  #received = 0;
  #onMessage: (data: Buffer) => void = () => undefined;
  readonly closed: Promise<void>;

  private constructor(socket: WebSocket, signal: AbortSignal) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    this.closed = new Promise((resolve) => {
      socket.addEventListener('close', () => resolve(), { once: true });
      // A polite close waits for the other side, which may be a machine that is being stopped.
      const abort = (): void => { resolve(); socket.close(); };
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    });
    socket.addEventListener('message', ({ data }) => { if (data instanceof ArrayBuffer) this.#receive(new Uint8Array(data)); });
  }

  /** Throws GUEST_UNREACHABLE when the server does not go through the greeting. */
  static async open({ address, token, commit }: IdeEndpoint, purpose: Purpose, signal: AbortSignal): Promise<IdeConnection> {
    const query = new URLSearchParams({ reconnectionToken: randomUUID(), reconnection: 'false', skipWebSocketFrames: 'false' });
    const socket = new WebSocket(`ws://${address.host}:${address.port}/stable-${commit}?${query.toString()}`, { headers: { authorization: `Bearer ${token}` } });
    const connection = new IdeConnection(socket, signal);
    await Promise.race([
      new Promise<void>((resolve) => { socket.addEventListener('open', () => resolve(), { once: true }); }),
      connection.#orCut(),
    ]);
    connection.#control({ type: 'auth', auth: NO_TOKEN, data: randomUUID() });
    const sign = await Promise.race([connection.#nextControl(), connection.#orCut()]);
    connection.#control({ type: 'connectionType', commit, signedData: sign['data'], desiredConnectionType: PURPOSE_NUMBER[purpose.kind], ...(purpose.kind === 'extensionHost' ? { args: purpose.args } : {}) });
    const answer = await Promise.race([connection.#nextControl(), connection.#orCut()]);
    if (answer['type'] === 'error') throw new VesselError('GUEST_UNREACHABLE', `VS Code refused a connection: ${String(answer['reason'])}`);
    return connection;
  }

  onMessage(listener: (data: Buffer) => void): void { this.#onMessage = listener; }

  send(data: Buffer): void {
    this.#sent += 1;
    this.#socket.send(encodeFrame(FRAME.regular, this.#sent, this.#received, data));
  }

  /** Says farewell, so that the server does not wait for a reconnection. The line itself ends when the server lets go of it. */
  close(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(FRAME.disconnect, 0, 0));
    this.#socket.close();
  }

  #control(value: unknown): void { this.#socket.send(encodeFrame(FRAME.control, 0, 0, Buffer.from(JSON.stringify(value)))); }

  #nextControl(): Promise<Readonly<Record<string, unknown>>> { return new Promise((resolve) => { this.#waiting.push(resolve); }); }

  async #orCut(): Promise<never> {
    await this.closed;
    throw new VesselError('GUEST_UNREACHABLE', 'VS Code closed a connection');
  }

  #receive(chunk: Uint8Array): void {
    for (const { kind, id, data } of this.#reader.push(chunk)) {
      if (kind === FRAME.control) this.#waiting.shift()?.(JSON.parse(data.toString('utf8')) as Readonly<Record<string, unknown>>);
      if (kind !== FRAME.regular) continue;
      this.#received = id;
      // Unacknowledged for twenty seconds, a server takes the line for dead.
      this.#socket.send(encodeFrame(FRAME.acknowledge, 0, id));
      this.#onMessage(data);
    }
  }
}
