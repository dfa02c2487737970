import { Duplex } from 'node:stream';
import type { Client, ClientChannel } from 'ssh2';
import { VesselError } from '#shared/errors.ts';

/** What a reader has not taken yet; beyond it the window of the channel closes and the other side waits. */
const READ_AHEAD_BYTES = 256 * 1024;

/** The sockets of each client that still has its line. */
const carried = new WeakMap<Client, Set<ChannelSocket>>();

/**
 * A forwarded channel as the socket that HTTP and WebSocket clients expect. A channel of ssh2 is no real stream in three ways: destroying it does
 * not end it when the line is gone, whoever keeps it idle never hears of that, and it has no time-outs, so that a request to a dead guest would wait for ever.
 */
export class ChannelSocket extends Duplex {
  readonly #channel: ClientChannel;
  #quietMs = 0;
  #quiet: NodeJS.Timeout | null = null;

  constructor(client: Client, channel: ClientChannel) {
    // As a socket of this computer: when the other side has ended, so does this one; a guest would else wait for our end.
    super({ allowHalfOpen: false, readableHighWaterMark: READ_AHEAD_BYTES });
    this.#channel = channel;
    // Of ssh2 it ends a second time whatever has ended by itself: for each channel an error, with its stack, that nobody sees.
    channel.destroy = () => { if (!channel.writableEnded) channel.end(); channel.close(); return channel; };
    channel.on('data', (chunk: Buffer) => { this.#stir(); if (!this.push(chunk)) channel.pause(); });
    channel.on('end', () => this.push(null));
    channel.on('error', (error: Error) => this.destroy(error));
    channel.on('close', () => { if (this.readableEnded || this.readableLength === 0) this.destroy(); else this.once('end', () => this.destroy()); });
    // Whoever keeps it idle learns its end from `close`; one who uses it has a listener of their own.
    this.on('error', () => undefined);
    const all = carried.get(client) ?? carry(client);
    all.add(this);
    this.once('close', () => all.delete(this));
  }

  override _read(): void { this.#channel.resume(); }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stir();
    this.#channel.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#channel.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    this.#channel.resume(); // or what is still under way would keep its window
    this.#channel.close();
    done(error);
  }

  /** As of net.Socket: `timeout` is emitted after so many milliseconds without a byte; 0 switches it off. */
  setTimeout(ms: number, listener?: () => void): this {
    this.#quietMs = ms;
    if (listener !== undefined) { if (ms === 0) this.off('timeout', listener); else this.once('timeout', listener); }
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    this.#quiet = ms === 0 || this.destroyed ? null : setTimeout(() => this.emit('timeout'), ms).unref();
    return this;
  }

  setNoDelay(): this { return this; }
  setKeepAlive(): this { return this; }
  ref(): this { return this; }
  unref(): this { return this; }

  #stir(): void { if (this.#quietMs > 0) this.#quiet?.refresh(); }
}

function carry(client: Client): Set<ChannelSocket> {
  const all = new Set<ChannelSocket>();
  carried.set(client, all);
  client.once('close', () => { for (const socket of all) socket.destroy(new VesselError('SSH_CONNECTION_LOST')); });
  return all;
}
