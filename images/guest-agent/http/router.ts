import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { VesselError } from '#shared/vessel-error.ts';
import { refuseUpgrade, sendError } from './respond.ts';
import { proxyRequest } from './proxy.ts';
import { proxyUpgrade } from './proxy-upgrade.ts';
import type { TokenGuard } from './token.ts';

/** The protocol's prefixes, typed by it but copied: importing the values would bundle zod. */
const API_PREFIX: typeof import('#shared/guest-protocol.ts').GUEST_API_PREFIX = '/_vessel/v1';
const PORT_PREFIX: typeof import('#shared/guest-protocol.ts').GUEST_PORT_PREFIX = '/_vessel/port';

export type CallContext = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly query: URLSearchParams; readonly receivedAt: number };
export type Call = (context: CallContext) => Promise<void> | void;
export type UpgradeCall = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export type RouterOptions = {
  readonly token: TokenGuard;
  readonly idePort: number;
  readonly ideLog: () => readonly string[];
  /** Keyed by `METHOD name`, e.g. `GET health`. */
  readonly calls: Readonly<Record<string, Call>>;
  readonly upgrades: Readonly<Record<string, UpgradeCall>>;
  /** Traffic to the IDE or to a guest port; `bytes` null for a plain request, else the size of a chunk the client sent. */
  readonly onTraffic: (kind: 'ide' | 'http', bytes: number | null) => void;
  readonly onIdeSocket: (change: 'opened' | 'closed') => void;
};

type Destination = { readonly kind: 'ide' | 'http'; readonly port: number; readonly path: string; readonly failed: (fault: string | null) => VesselError };

/** Streams may live for hours: only the head of a request has a deadline. */
const HEADERS_TIMEOUT_MS = 60_000;
/** Node looks for stale connections this often; a rare look leaves an idle guest asleep. */
const CONNECTIONS_CHECK_MS = 300_000;
/** The gateway takes 64 KB of a browser's headers and adds some of its own. */
const MAX_HEADER_BYTES = 96 * 1024;
/** Idle connections of the gateway are kept for it to reuse. */
const KEEP_ALIVE_MS = 600_000;

/** The agent's one listener: checks the bearer first, then dispatches to a call, a guest port, or the IDE. */
export function createRouter(options: RouterOptions): Server {
  const unauthorized = (): VesselError => new VesselError('GUEST_UNAUTHORIZED', 'wrong or missing bearer token');

  const destinationOf = (url: string): Destination => {
    if (!url.startsWith(`${PORT_PREFIX}/`)) {
      return { kind: 'ide', port: options.idePort, path: url, failed: () => new VesselError('IDE_NOT_READY', 'the IDE does not answer', { logTail: options.ideLog().slice(-40) }) };
    }
    const match = /^\/(\d{1,5})(\/[^?]*)?(\?.*)?$/.exec(url.slice(PORT_PREFIX.length));
    const port = Number(match?.[1] ?? 0);
    if (match === null || port < 1 || port > 65535) throw new VesselError('BAD_REQUEST', 'the address names no guest port');
    return {
      kind: 'http', port, path: `${match[2] ?? '/'}${match[3] ?? ''}`,
      failed: (fault) => (fault === null
        ? new VesselError('GUEST_PORT_CLOSED', `nothing listens on guest port ${port}`, { details: { port } })
        : new VesselError('GUEST_PORT_FAILED', `the server on guest port ${port} ${fault}`, { details: { port } })),
    };
  };

  const dispatch = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!options.token.accepts(request)) throw unauthorized();
    const url = request.url ?? '/';
    if (url.startsWith(`${API_PREFIX}/`)) {
      const receivedAt = performance.now();
      const question = url.indexOf('?');
      const name = url.slice(API_PREFIX.length + 1, question < 0 ? undefined : question);
      const call = options.calls[`${request.method} ${name}`];
      if (call === undefined) throw new VesselError('NOT_FOUND', `there is no call ${request.method} ${name}`);
      await call({ request, response, receivedAt, query: new URLSearchParams(question < 0 ? '' : url.slice(question)) });
      return;
    }
    const destination = destinationOf(url);
    options.onTraffic(destination.kind, null);
    proxyRequest(request, response, destination);
  };

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    if (!options.token.accepts(request)) throw unauthorized();
    const url = request.url ?? '/';
    if (url.startsWith(`${API_PREFIX}/`)) {
      const call = options.upgrades[url.slice(API_PREFIX.length + 1).split('?', 1)[0] ?? ''];
      if (call === undefined) throw new VesselError('NOT_FOUND', 'there is no such WebSocket');
      call(request, socket, head);
      return;
    }
    const destination = destinationOf(url);
    if (destination.kind === 'ide') {
      options.onIdeSocket('opened');
      socket.once('close', () => options.onIdeSocket('closed'));
    } else {
      options.onTraffic('http', null);
    }
    await proxyUpgrade(request, socket, head, destination, (bytes) => options.onTraffic(destination.kind, bytes));
  };

  const server = createServer({
    requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS, connectionsCheckingInterval: CONNECTIONS_CHECK_MS, maxHeaderSize: MAX_HEADER_BYTES, noDelay: true,
  });
  server.on('request', (request, response) => {
    response.on('error', () => response.destroy());
    dispatch(request, response).catch((error: unknown) => sendError(response, error));
  });
  server.on('upgrade', (request, socket, head) => {
    upgrade(request, socket, head).catch((error: unknown) => refuseUpgrade(socket, error));
  });
  // A body that is checked before it is read (`expect: 100-continue`) goes the normal way.
  server.on('checkContinue', (request, response) => {
    if (options.token.accepts(request)) response.writeContinue();
    server.emit('request', request, response);
  });
  return server;
}
