import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { VesselError } from '#shared/errors.ts';
import { readSession, type Session } from './cookies.ts';
import { parseHost, type EnvironmentTarget, type Target } from './hosts.ts';
import { peerUser } from './peer-user.ts';
import { sameText, type SessionSecret } from './session-secret.ts';

/** How a caller proved itself; `neighbor`: as a page of the same environment, in a browser of the same user. */
export type Proof = 'cookie' | 'bearer' | 'neighbor';

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);
const ROOT = 0;
/** Between the redirect that a ticket bought and the request that follows it. */
const PASS_MS = 10_000;
/** One per ticket that was used within {@link PASS_MS}. */
const MOST_PASSES = 256;

/** Decides who may ask what. One per gateway: it learns which users of this computer have shown a session. */
export class Access {
  readonly #secret: SessionSecret;
  readonly #port: () => number;
  readonly #now: () => number;
  /** Users whose programs could read the secret anyway, and those that showed a session. `null` stands for a system that does not tell. */
  readonly #users = new Set<number | null>(process.getuid === undefined ? [] : [ROOT, process.getuid()]);
  readonly #askedFor = new WeakMap<Socket, number | null>();
  readonly #passes = new Map<string, number>();
  /** Requests that came in by a pass. */
  readonly #passed = new WeakSet<IncomingMessage>();

  constructor(secret: SessionSecret, port: () => number, now: () => number) {
    this.#secret = secret;
    this.#port = port;
    this.#now = now;
  }

  /**
   * Decides whether a request may go on. A bearer is enough (no browser page can know it). A cookie proves only that this
   * browser has entered, not which page is asking, so with a cookie the page must be the host itself:
   *
   * - writes and WebSockets need an Origin equal to the host's own;
   * - reads, navigations too, that a page of another origin started are refused. A ticket that was just used lets its own address in once.
   *
   * A port of an environment also answers pages of the same environment, as one port of localhost answers another. Their requests often carry no cookie
   * (preflights never do); their Origin, or Referer, is what no page can forge, and that a page asks at all, and not another user's program, is seen
   * by whose connection it is.
   *
   * Throws UNAUTHENTICATED or FORBIDDEN_ORIGIN.
   */
  require(request: IncomingMessage, target: Target, isUpgrade: boolean): Proof {
    if (this.#hasBearer(request)) {
      // A page cannot know the bearer; an Origin beside it means that a script of a page was given it, which only the app may.
      if (request.headers.origin !== undefined && request.headers.origin !== target.origin) throw foreignOrigin(request);
      this.#learn(request);
      return 'bearer';
    }
    const session = this.sessionOf(request, target);
    if (target.kind === 'port' && this.#isNeighbor(request, target)) {
      if (session !== null) return 'cookie';
      if (this.#users.has(this.#userOf(request))) return 'neighbor';
    }
    if (session === null) throw new VesselError('UNAUTHENTICATED');
    const mustMatch = isUpgrade || !SAFE_METHODS.has(request.method ?? 'GET');
    if (mustMatch ? !isOwnPage(request, target) : !this.#mayRead(request, target)) throw foreignOrigin(request);
    this.#learn(request);
    return 'cookie';
  }

  /** Whether this browser (or script) has shown itself before, whichever page is asking now. */
  hasEntered(request: IncomingMessage, target: Target): boolean {
    return this.#hasBearer(request) || this.sessionOf(request, target) !== null;
  }

  /** The session that the request's cookie proves for its host; null when there is none. */
  sessionOf(request: IncomingMessage, target: Target): Session | null {
    return target.kind === 'loopback' || target.kind === 'assets' ? null : readSession(this.#secret, request.headers.cookie, target.host, this.#now());
  }

  /** Lets the next navigation to exactly this address in, whoever started it: a ticket was just used for it. */
  pass(host: string, url: string): void {
    const [oldest] = this.#passes.keys();
    if (this.#passes.size >= MOST_PASSES && oldest !== undefined) this.#passes.delete(oldest);
    this.#passes.set(`${host} ${url}`, this.#now());
  }

  /** Lets the browser follow a redirect on the same host that answers a request which came in by a pass: it is still the same navigation. */
  passOn(request: IncomingMessage, target: Target, location: string | undefined): void {
    if (location === undefined || !this.#passed.has(request) || !URL.canParse(location, `${target.origin}${request.url ?? '/'}`)) return;
    const { origin, pathname, search } = new URL(location, `${target.origin}${request.url ?? '/'}`);
    if (origin === target.origin) this.pass(target.host, `${pathname}${search}`);
  }

  #hasBearer(request: IncomingMessage): boolean {
    const match = /^Bearer ([0-9a-f]+)$/i.exec(request.headers.authorization ?? '');
    return match?.[1] !== undefined && sameText(match[1], this.#secret.bearer);
  }

  #userOf({ socket }: IncomingMessage): number | null {
    const known = this.#askedFor.get(socket);
    if (known !== undefined) return known;
    const user = peerUser(socket);
    this.#askedFor.set(socket, user);
    return user;
  }

  #learn(request: IncomingMessage): void {
    if (this.#askedFor.has(request.socket)) return;
    const user = this.#userOf(request);
    // Linux names the user of every open connection: one that it does not name is not to be taken for another.
    if (user !== null || process.platform !== 'linux') this.#users.add(user);
  }

  /** Whether a page of the same environment, at the same sort of name, asks. A page's Origin and Referer are set by the browser. */
  #isNeighbor({ headers, method }: IncomingMessage, target: Extract<EnvironmentTarget, { kind: 'port' }>): boolean {
    const isRead = SAFE_METHODS.has(method ?? 'GET');
    const origin = headers.origin ?? (isRead && headers.upgrade === undefined ? originOfUrl(headers.referer) : null);
    const caller = origin?.startsWith('http://') === true ? parseHost(origin.slice('http://'.length), this.#port()) : null;
    return (caller?.kind === 'port' || caller?.kind === 'ide') && caller.projectId === target.projectId && caller.frame === target.frame && origin !== target.origin;
  }

  #mayRead(request: IncomingMessage, target: Target): boolean {
    const { origin } = request.headers;
    const site = request.headers['sec-fetch-site'];
    if (origin !== undefined && origin !== target.origin && !(origin === 'null' && target.kind !== 'app')) return false;
    if (site === undefined || site === 'same-origin' || site === 'none') return true;
    // An environment is entered by tickets, of which the app makes one for each of its frames and links.
    return target.kind !== 'app' && request.headers['sec-fetch-mode'] === 'navigate' && this.#takePass(request, target.host);
  }

  #takePass(request: IncomingMessage, host: string): boolean {
    const key = `${host} ${request.url ?? '/'}`;
    const given = this.#passes.get(key);
    this.#passes.delete(key);
    if (given === undefined || this.#now() - given >= PASS_MS) return false;
    this.#passed.add(request);
    return true;
  }
}

function isOwnPage(request: IncomingMessage, target: Target): boolean {
  const { origin } = request.headers;
  if (origin === target.origin) return true;
  // A form of a guest page with `Referrer-Policy: no-referrer` (Helmet's default) sends `Origin: null`; the browser still tells who asks.
  return origin === 'null' && target.kind === 'port' && request.headers['sec-fetch-site'] === 'same-origin';
}

function originOfUrl(url: string | undefined): string | null {
  return url !== undefined && URL.canParse(url) ? new URL(url).origin : null;
}

const foreignOrigin = (request: IncomingMessage): VesselError =>
  new VesselError('FORBIDDEN_ORIGIN', undefined, { details: { origin: request.headers.origin ?? null, site: request.headers['sec-fetch-site'] ?? null } });
