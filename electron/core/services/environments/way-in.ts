import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import { clamp, visibleLine } from '#shared/visible-text.ts';
import type { HostLink } from '../../ports/host-link.ts';

type Address = { readonly host: string; readonly port: number };

/** Traefik reads a new rule within its throttle of two seconds; an environment whose rule it does not follow after this is reached straight. */
const FRONT_MS = 15_000;
const ASK_EVERY_MS = 500;
const ANSWER_MS = 5_000;
/** The first line of an answer and its headers are shorter. */
const HEAD_BYTES = 16 * 1024;
/** Of a status line, in the log. */
const ANSWER_CHARS = 100;

const at = ({ host, port }: Address): string => `${host}:${port}`;

/**
 * The way from this computer to a guest's agent: straight at first, and through the host's Traefik once that is proved to lead there. Traefik is a
 * convenience of the host; nobody waits for it, and when it refuses the way is straight again.
 */
export class WayIn {
  readonly #link: HostLink;
  readonly #guest: Address;
  readonly #front: Address | null;
  readonly #log: (line: string) => void;
  readonly #giveUpMs: number;
  #proved = false;
  #ended = false;

  constructor(options: { readonly link: HostLink; readonly guest: Address; readonly front: Address | null; readonly log: (line: string) => void; /** Milliseconds that Traefik has to follow its rule. */ readonly giveUpMs?: number }) {
    this.#link = options.link;
    this.#guest = options.guest;
    this.#front = options.front;
    this.#log = options.log;
    this.#giveUpMs = options.giveUpMs ?? FRONT_MS;
  }

  /** Whether Traefik is on the way. */
  get throughFront(): boolean { return this.#proved; }

  async dial(): Promise<Duplex> {
    if (this.#front !== null && this.#proved) {
      try {
        return await this.#link.forward(this.#front.host, this.#front.port);
      } catch (error) {
        const known = VesselError.from(error);
        if (known.code !== 'GUEST_UNREACHABLE') throw error;
        // Callers at the same time fall back together, and one line says so.
        if (this.#proved) this.#log(`Traefik at ${at(this.#front)} refuses, going straight to the guest: ${known.code} ${known.message}`);
        this.#proved = false;
      }
    }
    return this.#link.forward(this.#guest.host, this.#guest.port);
  }

  /** Waits until Traefik follows the rule for `name`; logs why when it gives up. */
  async prove(name: string): Promise<void> {
    if (this.#front === null) return;
    const deadline = performance.now() + this.#giveUpMs;
    let reason = 'no answer yet';
    while (!this.#ended && !this.#proved && performance.now() < deadline) {
      try {
        const answer = await this.#ask(this.#front, name);
        this.#proved = /^HTTP\/1\.1 401 /.test(answer);
        reason = `it answered ${clamp(visibleLine(answer), ANSWER_CHARS) || 'nothing'}`;
      } catch (error) {
        reason = VesselError.from(error).message;
      }
      if (!this.#proved) await delay(ASK_EVERY_MS, undefined, { ref: false });
    }
    if (!this.#proved && !this.#ended) this.#log(`Traefik at ${at(this.#front)} has no route to ${name} after ${this.#giveUpMs / 1000} s (${reason}); going straight to the guest`);
  }

  end(): void { this.#ended = true; }

  /** The status line of the answer. A stranger is told nothing but 401 by the agent; what has no rule for the name says something else. The token is not shown to find that out. */
  async #ask(front: Address, name: string): Promise<string> {
    const stream = await this.#link.forward(front.host, front.port);
    try {
      stream.write(`GET / HTTP/1.1\r\nhost: ${name}\r\nconnection: close\r\n\r\n`);
      let head = '';
      const timer = setTimeout(() => stream.destroy(), ANSWER_MS);
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        head += chunk.toString('latin1');
        if (head.includes('\r\n\r\n') || head.length > HEAD_BYTES) break;
      }
      clearTimeout(timer);
      return head.split('\r\n', 1)[0] ?? '';
    } finally {
      stream.destroy();
    }
  }
}
