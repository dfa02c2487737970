import type { Duplex } from 'node:stream';
import { VesselError } from '#shared/errors.ts';

/** Channels that lie ready for one address: a browser that opens a workbench makes about this many connections at once. */
const SPARES = 4;
/** As many where they were all taken at once before: a page with many resources, several tabs. Each is a connection that the guest holds. */
const MOST_SPARES = 12;
/**
 * A channel that lay longer is not handed out: the other side ends connections that never say anything (a guest agent after a minute), and must not
 * do so just as somebody uses it.
 */
const FRESH_MS = 20_000;
/** Nobody asked for so long: what lies ready is let go, so that an idle guest is left in peace. */
const WANTED_MS = 30_000;

type Spare = { readonly stream: Duplex; readonly since: number; readonly dropped: () => void };
type Shelf = {
  readonly host: string; readonly port: number; spares: Spare[]; opening: number; wantedAt: number;
  /** How many shall lie ready, and when they were all gone for the last time. */
  wanted: number; emptyAt: number;
};

/**
 * Opening a forwarded channel costs a round trip to the host. Those that are asked for again soon are opened ahead, so that a new
 * connection to a guest costs none.
 */
export class WarmChannels {
  readonly #open: (host: string, port: number) => Promise<Duplex>;
  readonly #now: () => number;
  readonly #shelves = new Map<string, Shelf>();
  #sweeper: NodeJS.Timeout | null = null;
  #ended = false;

  constructor(open: (host: string, port: number) => Promise<Duplex>, now: () => number = () => Date.now()) {
    this.#open = open;
    this.#now = now;
  }

  /** A channel that lies ready, else a new one. Rejects as opening does. */
  async take(host: string, port: number): Promise<Duplex> {
    if (this.#ended) throw new VesselError('INTERRUPTED', 'The connection was closed');
    const key = `${host}:${port}`;
    const shelf = this.#shelves.get(key) ?? { host, port, spares: [], opening: 0, wantedAt: 0, wanted: 0, emptyAt: 0 };
    this.#shelves.set(key, shelf);
    shelf.wantedAt = this.#now();
    this.#sweeper ??= setInterval(() => this.#sweep(), FRESH_MS / 2).unref();
    const ready = this.#fromShelf(shelf);
    // Only behind one that worked: an address where nothing answers is not knocked at for nothing.
    const stream = ready ?? await this.#open(host, port);
    if (ready === null) this.#missed(shelf);
    this.#refill(shelf);
    return stream;
  }

  /** Lets go of everything that lies ready. */
  dispose(): void {
    this.#ended = true;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    for (const shelf of this.#shelves.values()) this.#clear(shelf);
    this.#shelves.clear();
  }

  #fromShelf(shelf: Shelf): Duplex | null {
    for (;;) {
      const spare = shelf.spares.shift();
      if (spare === undefined) return null;
      spare.stream.off('close', spare.dropped);
      // Whoever speaks first, or has ended, is not a server that waits for a request.
      if (!spare.stream.destroyed && spare.stream.readableLength === 0 && !spare.stream.readableEnded && this.#now() - spare.since < FRESH_MS) return spare.stream;
      spare.stream.destroy();
    }
  }

  /** Those that lay ready were not enough for what came at once: next time there are more. */
  #missed(shelf: Shelf): void {
    shelf.emptyAt = this.#now();
    shelf.wanted = shelf.wanted === 0 ? SPARES : Math.min(MOST_SPARES, shelf.wanted * 2);
  }

  #refill(shelf: Shelf): void {
    while (!this.#ended && shelf.spares.length + shelf.opening < shelf.wanted) {
      shelf.opening += 1;
      this.#open(shelf.host, shelf.port).then((stream) => {
        shelf.opening -= 1;
        if (this.#ended) { stream.destroy(); return; }
        const dropped = (): void => { shelf.spares = shelf.spares.filter((spare) => spare.stream !== stream); stream.destroy(); };
        stream.once('close', dropped);
        shelf.spares.push({ stream, since: this.#now(), dropped });
      }, () => { shelf.opening -= 1; /* whoever needs one opens it, and hears why it fails */ });
    }
  }

  #sweep(): void {
    const now = this.#now();
    for (const [key, shelf] of this.#shelves) {
      const wanted = now - shelf.wantedAt < WANTED_MS;
      if (now - shelf.emptyAt >= WANTED_MS) shelf.wanted = Math.min(shelf.wanted, SPARES);
      for (const spare of shelf.spares.filter(({ since }) => !wanted || now - since >= FRESH_MS)) spare.stream.destroy();
      if (!wanted && shelf.opening === 0) { this.#clear(shelf); this.#shelves.delete(key); }
      else if (wanted) this.#refill(shelf);
    }
    if (this.#shelves.size > 0 || this.#sweeper === null) return;
    clearInterval(this.#sweeper);
    this.#sweeper = null;
  }

  #clear(shelf: Shelf): void {
    for (const { stream } of shelf.spares.splice(0)) stream.destroy();
  }
}
