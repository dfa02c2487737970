import type { Agent, request } from 'node:https';
import type { connect } from 'node:tls';
import { errnoOf, messageOf } from '../log.ts';

/** Servers bind to 127.0.0.1, ::1 or both; some of them speak TLS. */
export type PortRoute = { readonly host: string; readonly tls: boolean };

const LOOPBACKS = ['127.0.0.1', '::1'] as const;
/** A handshake over loopback; an emulated guest that compiles meanwhile takes its time. */
const PROBE_MS = 10_000;
/** First byte of a TLS alert: what some servers answer to plain HTTP. */
export const TLS_ALERT = 0x15;

/** Idle upstream connections kept; a page load of VS Code uses six. */
export const KEPT = { keepAlive: true, maxFreeSockets: 8, scheduling: 'lifo' } as const;
/** What guest ports are asked with: their certificates are made on the spot, and nobody sits between a guest and itself. */
export const TLS_OPTIONS = { rejectUnauthorized: false, servername: 'localhost', ALPNProtocols: ['http/1.1'] } as const;

/** What speaks TLS; loaded when the first server wants it, because most guests never do. */
type Secure = { readonly connect: typeof connect; readonly request: typeof request; readonly agent: Agent };
let loaded: Secure | null = null;

async function loadSecure(): Promise<Secure> {
  const [tls, https] = await Promise.all([import('node:tls'), import('node:https')]);
  loaded ??= { connect: tls.connect, request: https.request, agent: new https.Agent({ ...KEPT, ...TLS_OPTIONS }) };
  return loaded;
}

/** For a route with TLS: it was found by {@link otherWay}, which loads this. */
export function secure(): Secure {
  if (loaded === null) throw new Error('TLS was not loaded');
  return loaded;
}

/** How each port answered last. */
const known = new Map<number, PortRoute>();
/** Ports that have answered plain HTTP as only a server of plain HTTP does. */
const plain = new Set<number>();

export const routeOf = (port: number): PortRoute => known.get(port) ?? { host: LOOPBACKS[0], tls: false };
export const otherLoopback = (route: PortRoute): PortRoute => ({ ...route, host: route.host === LOOPBACKS[0] ? LOOPBACKS[1] : LOOPBACKS[0] });
export const isKnownPlain = (port: number): boolean => plain.has(port);

/** Remembers how a port answered. `certain` when no server of the other kind would answer so. */
export function remember(port: number, route: PortRoute, certain: boolean): void {
  known.set(port, route);
  if (route.tls || !certain) plain.delete(port);
  else plain.add(port);
}

/** The same port asked the other way (TLS or not), or null when it would not answer that either. */
export async function otherWay(port: number, route: PortRoute): Promise<PortRoute | null> {
  if (route.tls) return { ...route, tls: false };
  return await speaksTls(port, route.host) ? { ...route, tls: true } : null;
}

async function speaksTls(port: number, host: string): Promise<boolean> {
  const { connect } = await loadSecure();
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...TLS_OPTIONS });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PROBE_MS, () => end(false));
    socket.once('secureConnect', () => end(true));
    // Whatever the reason: no TLS there.
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}

/** What a server did wrong, in words for the person who wrote it; null when nothing listens. */
export function faultOf(error: unknown, maxHeaderBytes: number): string | null {
  const code = errnoOf(error);
  if (code === 'ECONNREFUSED') return null;
  if (code === 'HPE_HEADER_OVERFLOW') return `answered with more than ${maxHeaderBytes / 1024} KB of headers`;
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'closed the connection without an answer';
  if (code.startsWith('HPE_')) return `answered something that is not HTTP (${messageOf(error)})`;
  return `cannot be asked (${messageOf(error)})`;
}
