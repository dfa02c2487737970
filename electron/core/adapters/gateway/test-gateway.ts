import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { VesselError, type ErrorCode } from '#shared/errors.ts';
import type { Gateway, Route, RouteTable } from '../../ports/gateway.ts';
import { createGateway } from './create-gateway.ts';

/** Test helper: a gateway with real sockets in front of a small server that behaves like the guest agent. */
export const GUEST_TOKEN = 'guest-token-guest-token-guest-token-0123';

export type TestGuest = {
  readonly port: number;
  readonly seen: { method: string; url: string; headers: IncomingHttpHeaders }[];
  handler: (request: IncomingMessage, response: ServerResponse) => void;
  /** Answers upgrades itself when set. */
  onUpgrade: ((socket: Duplex) => void) | null;
  connections: number;
  route(extra?: Partial<Extract<Route, { kind: 'running' }>>): Extract<Route, { kind: 'running' }>;
  close(): Promise<void>;
};

/** Answers 401 without the token; echoes WebSocket messages; everything else goes to `handler` (default: text `guest <url>`). */
export async function startTestGuest(): Promise<TestGuest> {
  const sockets = new WebSocketServer({ noServer: true });
  const server: Server = createServer((request, response) => {
    guest.seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    const refuse = (status: number, code: ErrorCode): void => {
      const body = JSON.stringify({ error: new VesselError(code).toShape() });
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body);
    };
    if (request.headers.authorization !== `Bearer ${GUEST_TOKEN}`) refuse(401, 'GUEST_UNAUTHORIZED');
    else if (request.url?.startsWith('/_vessel/port/9/') === true) refuse(502, 'GUEST_PORT_CLOSED');
    else guest.handler(request, response);
  });
  server.on('connection', () => { guest.connections += 1; });
  server.on('upgrade', (request, socket, head) => {
    guest.seen.push({ method: 'UPGRADE', url: request.url ?? '', headers: request.headers });
    if (guest.onUpgrade !== null) { guest.onUpgrade(socket); return; }
    sockets.handleUpgrade(request, socket, head, (webSocket) => webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary })));
  });
  const port = await listen(server);
  const guest: TestGuest = {
    port, seen: [], onUpgrade: null, connections: 0,
    handler: (request, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end(`guest ${request.url ?? ''}`),
    route: (extra = {}) => ({ kind: 'running', token: GUEST_TOKEN, dial: () => dial(port), ide: { name: 'code-server', version: '4.0.0', commit: null }, ideStaticDir: null, ...extra }),
    async close() {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => { server.close(resolve); });
    },
  };
  return guest;
}

export function dial(port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.once('connect', () => { socket.off('error', reject); resolve(socket); });
    socket.once('error', reject);
  });
}

export function listen(server: Server): Promise<number> {
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)); });
}

export type TestGateway = {
  readonly gateway: Gateway;
  readonly home: string;
  readonly routes: Map<string, Route>;
  readonly activity: string[];
  readonly logs: string[];
  /** The gateway's clock, Unix ms: moves only when a test moves it. */
  readonly clock: { now: number };
  close(): Promise<void>;
};

export async function startTestGateway(options: { readonly port?: number | null; readonly home?: string } = {}): Promise<TestGateway> {
  const home = options.home ?? await mkdtemp(join(tmpdir(), 'vessel-gateway-'));
  const routes = new Map<string, Route>();
  const activity: string[] = [];
  const logs: string[] = [];
  const clock = { now: Date.now() };
  const table: RouteTable = { resolve: (id) => routes.get(id) ?? { kind: 'unknown' }, noteWaiting: () => undefined, noteActivity: (id, kind) => { activity.push(`${id} ${kind}`); } };
  const gateway = await createGateway({ routes: table, home, cache: join(home, 'cache'), port: options.port === undefined ? 0 : options.port, log: (line) => logs.push(line), now: () => clock.now });
  gateway.mount({
    request: (_request, response) => { response.end('app'); },
    upgrade: (_request, socket) => { socket.end('HTTP/1.1 204 No Content\r\n\r\n'); },
  });
  return {
    gateway, home, routes, activity, logs, clock,
    async close() {
      await gateway.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** A gateway with one environment behind it, entered: what most tests of a way through it need. */
export type TestDoor = { readonly guest: TestGuest; readonly door: TestGateway; readonly host: string; readonly cookie: string; close(): Promise<void> };

export async function startTestDoor(projectId: string): Promise<TestDoor> {
  const guest = await startTestGuest();
  const door = await startTestGateway();
  door.routes.set(projectId, guest.route());
  const cookie = await enterHost(door.gateway.urlFor({ projectId, frame: false }).url);
  return { guest, door, host: `${projectId}.localhost:${door.gateway.port}`, cookie, close: async () => { await door.close(); await guest.close(); } };
}

export type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };

/** A raw HTTP request to 127.0.0.1 with exactly these headers (fetch would refuse to set Host, Origin and Cookie). */
export function send(port: number, host: string, path: string, options: RequestOptions & { readonly body?: string | Buffer } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { body, headers, ...rest } = options;
    const outgoing = httpRequest({ host: '127.0.0.1', port, path, agent: false, ...rest, headers: { host, ...headers as IncomingHttpHeaders } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString('utf8') }));
    });
    outgoing.on('upgrade', (answer, socket) => {
      socket.destroy();
      resolve({ status: 101, headers: answer.headers, body: '' });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Asks for a WebSocket and returns the status that came back. */
export const upgrade = (port: number, host: string, path: string, headers: IncomingHttpHeaders): Promise<Answer> =>
  send(port, host, path, { headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers } });

/** Opens the entry address as a browser would and returns the cookie it got. */
export async function enterHost(url: string): Promise<string> {
  const { host, port, pathname, search } = new URL(url);
  const answer = await send(port === '' ? 80 : Number(port), host, `${pathname}${search}`);
  return answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
}
