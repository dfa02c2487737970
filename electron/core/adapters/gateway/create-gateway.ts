import { createServer, type Agent, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { httpStatus, VesselError } from '#shared/errors.ts';
import type { AppDoor, Gateway, Route, RouteTable } from '../../ports/gateway.ts';
import { Access, type Proof } from './access.ts';
import { isDueForRenewal, sessionCookie } from './cookies.ts';
import { enter, enterUrl, goTo, isEnter, isRenew, renew, sendRenewal } from './enter.ts';
import { framePolicy, framers } from './headers.ts';
import { APP_HOST, ASSETS_HOST, environmentHost, originOf, parseHost, type EnvironmentTarget, type Target } from './hosts.ts';
import { gateOf, Gates, isGate } from './gates.ts';
import { createIdeStatic, type IdeStatic } from './ide-static/ide-static.ts';
import { listenOnLoopback } from './listen.ts';
import { pageHeaders, renderPage, type Page } from './page-html.ts';
import { continuePage, guestErrorPage, MISDIRECTED_PAGE, notAuthorisedPage, notRunningPage, startingPage, stoppingPage, unknownPage, unreachablePage } from './pages.ts';
import { createProxy, type Passage, type Proxy } from './proxy.ts';
import { refuseUpgrade, sendBody, sendError, wantsPage } from './respond.ts';
import { loadSessionSecret, type SessionSecret } from './session-secret.ts';
import { createTickets, type Tickets } from './tickets.ts';
import { comes, untilReachable } from './until-reachable.ts';
import { createUpstreams, type RunningRoute, type Upstreams } from './upstream.ts';

export type GatewayOptions = {
  readonly routes: RouteTable;
  /** `$VESSEL_HOME`: the session secret and the remembered port. */
  readonly home: string;
  /** `$VESSEL_CACHE`: IDE files. */
  readonly cache: string;
  /** See listenOnLoopback. */
  readonly port: number | null;
  readonly log: (line: string) => void;
  /** The clock, Unix ms; tests have their own. */
  readonly now?: () => number;
};

/** Cookies that a guest page plants on the whole site make headers long; within reason they must not lock the app out. */
const MAX_HEADER_BYTES = 64 * 1024;
/** Browsers reuse idle connections for minutes; the default of 5 s would make them connect anew at each click. */
const KEEP_ALIVE_MS = 75_000;
/** A frame that was loaded ahead waits for its environment this long; VS Code gives a connection ten seconds. */
const HOLD_MS = 9_000;
/** A person who looks at an empty tab is told sooner what is going on. */
const HOLD_TAB_MS = 1_500;
/** 421 Misdirected Request: the name is not one this server answers to. */
const MISDIRECTED = 421;

/** One loopback listener for the app and every environment; the Host header decides. Throws PORT_IN_USE. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const secret = await loadSessionSecret(options.home);
  const upstreams = createUpstreams();
  const state = { port: 0, door: null as AppDoor | null };
  const now = options.now ?? Date.now;
  const access = new Access(secret, () => state.port, now);
  const parts: Parts = {
    options, secret, upstreams, state, access, now,
    tickets: createTickets(now),
    proxy: createProxy(upstreams, () => state.port),
    gates: new Gates(),
    ideStatic: createIdeStatic({ cache: options.cache, log: options.log }),
  };
  const servers = { v4: listener(parts), v6: listener(parts) };
  const { port, movedFrom } = await listenOnLoopback(servers, options.port, options.home);
  state.port = port;
  if (movedFrom !== null) options.log(`Port ${movedFrom}, where Vessel answered before, is taken: it answers at ${originOf(APP_HOST, port)} now. Tabs that are open have the old address; \`vessel url\` shows the new one.`);
  for (const server of [servers.v4, servers.v6]) server.on('error', (error) => options.log(`gateway listener: ${error.message}`));

  return {
    port: state.port,
    movedFrom,
    baseUrl: originOf(APP_HOST, state.port),
    bearer: secret.bearer,
    authenticate: (request) => { access.require(request, requireTarget(request, state.port), request.headers.upgrade !== undefined); },
    appUrl: () => enterUrl(parts.tickets, APP_HOST, state.port, '/'),
    urlFor({ projectId, port, frame, gate }) {
      const host = environmentHost(projectId, port, frame);
      const opened = gate !== undefined && parts.gates.open(gate, projectId, staticDirOf(options.routes.resolve(projectId)));
      return { url: enterUrl(parts.tickets, host, state.port, '/'), origin: originOf(host, state.port), opened };
    },
    async aheadFor(projectId) {
      const ideStaticDir = staticDirOf(options.routes.resolve(projectId));
      const host = environmentHost(projectId, undefined, true);
      const page = ideStaticDir === null ? null : await parts.ideStatic.aheadPage(ideStaticDir, host, originOf(ASSETS_HOST, state.port));
      if (ideStaticDir === null || page === null) return null;
      const gate = parts.gates.make(projectId, ideStaticDir);
      return { url: enterUrl(parts.tickets, host, state.port, `${page.url}&vessel-ahead=${gate}`), gate };
    },
    mount(door) { state.door = door; },
    async close() {
      upstreams.close();
      await Promise.all([servers.v4, servers.v6].map(closeServer));
    },
  };
}

type Parts = {
  readonly options: GatewayOptions;
  readonly secret: SessionSecret;
  readonly tickets: Tickets;
  readonly access: Access;
  readonly now: () => number;
  readonly upstreams: Upstreams;
  readonly proxy: Proxy;
  readonly gates: Gates;
  readonly ideStatic: IdeStatic;
  readonly state: { port: number; door: AppDoor | null };
};

function listener(parts: Parts): Server {
  const sockets = new Set<Duplex>();
  // requestTimeout 0: an upload of gigabytes may take its time.
  const server = createServer({ noDelay: true, maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 });
  server.on('request', (request, response) => {
    answer(request, response, parts).catch((error: unknown) => fail(request, response, VesselError.from(error), parts));
  });
  server.on('upgrade', (request, socket, head) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    try {
      answerUpgrade(request, socket, head, parts);
    } catch (error) {
      refuseUpgrade(socket, VesselError.from(error));
    }
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable) return;
    socket.end(`HTTP/1.1 ${error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request'}\r\nconnection: close\r\n\r\n`);
  });
  // Upgraded sockets are no longer the server's: closing it would wait for them forever.
  server.on('vessel-close', () => { for (const socket of sockets) socket.destroy(); });
  return server;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.emit('vessel-close');
    if (!server.listening) { resolve(); return; }
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function requireTarget(request: IncomingMessage, port: number): Target {
  const target = parseHost(request.headers.host, port);
  if (target === null) throw new VesselError('FORBIDDEN_ORIGIN', 'Vessel does not answer to this name', { hint: 'Open Vessel at its own address.' });
  return target;
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  const { state, secret, access } = parts;
  const target = parseHost(request.headers.host, state.port);
  if (target === null) {
    if (wantsPage(request)) sendBody(response, MISDIRECTED, pageHeaders([]), renderPage(MISDIRECTED_PAGE));
    else sendError(response, new VesselError('FORBIDDEN_ORIGIN', 'Vessel does not answer to this name'), MISDIRECTED);
    return;
  }
  const url = request.url ?? '/';
  if (target.kind === 'assets') {
    await parts.ideStatic.serveShared(request, response);
    return;
  }
  if (isEnter(url)) {
    enter(request, response, target, { ...parts, framers: framersOf(target, state.port) });
    return;
  }
  if (isRenew(url)) {
    await renew(request, response, target, parts);
    return;
  }
  const renewed = renewedCookie(request, target, parts);
  if (renewed !== null) response.setHeader('set-cookie', renewed);
  if (target.kind === 'app' || target.kind === 'loopback') {
    if (state.door === null) throw new VesselError('HOST_UNREACHABLE', 'Vessel is still starting');
    // The renderer's files are no secret, but a person without a session should read what to do rather than an app that cannot connect.
    // A link from another site comes without the Strict cookie: then the app itself finds out.
    const isShell = wantsPage(request) && !url.startsWith('/api/');
    if (isShell && request.headers['sec-fetch-site'] !== 'cross-site' && !access.hasEntered(request, target)) throw new VesselError('UNAUTHENTICATED');
    if (request.method !== 'GET' && request.method !== 'HEAD') access.require(request, target, false); // whatever the door does with it
    state.door.request(request, response);
    return;
  }
  const proof = access.require(request, target, false);
  if (proof === 'neighbor' && request.headers['sec-fetch-mode'] === 'navigate') {
    // A person follows a link to another port of the environment: what that page loads comes from the page itself.
    response.setHeader('set-cookie', sessionCookie(secret, target.host, { startedMs: parts.now(), issuedMs: parts.now() }));
  }
  const destination = goTo(url, target, parts.tickets, state.port);
  if (destination !== null) {
    sendBody(response, 302, { location: destination, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }, '');
    return;
  }
  if (target.kind === 'ide' && isGate(url)) parts.gates.wait(request, response, target.projectId);
  else if (!await answerAhead(request, response, target, parts)) await answerFromEnvironment(request, response, target, proof, parts);
}

/** A session in use gets a new cookie now and then; null when it needs none. */
function renewedCookie(request: IncomingMessage, target: Target, { access, secret, now }: Parts): string | null {
  const session = access.sessionOf(request, target);
  return session !== null && isDueForRenewal(session, now()) ? sessionCookie(secret, target.host, { ...session, issuedMs: now() }) : null;
}

/** Of the image that an environment has, or would have. */
const staticDirOf = (route: Route): string | null => ('ideStaticDir' in route ? route.ideStaticDir : null);

/** The page of a workbench that waits for its project to be opened. True when the request has been answered. */
async function answerAhead(request: IncomingMessage, response: ServerResponse, target: EnvironmentTarget, parts: Parts): Promise<boolean> {
  const gate = gateOf(request.url ?? '');
  const ideStaticDir = gate === null || target.kind !== 'ide' || !target.frame ? null : parts.gates.find(gate, target.projectId);
  const page = ideStaticDir === null ? null : await parts.ideStatic.aheadPage(ideStaticDir, request.headers.host ?? '', originOf(ASSETS_HOST, parts.state.port));
  if (page !== null) sendWorkbench(response, page, target, parts);
  return page !== null;
}

function sendWorkbench(response: ServerResponse, { html, policy }: { readonly html: string; readonly policy: string }, target: EnvironmentTarget, { state }: Parts): void {
  sendBody(response, 200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'content-security-policy': framePolicy(policy, target, state.port) }, html);
}

async function answerFromEnvironment(request: IncomingMessage, response: ServerResponse, target: EnvironmentTarget, proof: Proof, parts: Parts, isSecond = false): Promise<void> {
  const { options, state } = parts;
  const route = options.routes.resolve(target.projectId);
  if (route.kind !== 'running') parts.upstreams.forget(target.projectId);
  switch (route.kind) {
    case 'running':
      // A page that waits for a server to come up asks again and again: that alone keeps nothing alive.
      response.once('finish', () => { if (response.statusCode < 500) options.routes.noteActivity(target.projectId, target.kind === 'ide' ? 'ide' : 'http'); });
      if (target.kind === 'ide') {
        const agent = (): Agent => parts.upstreams.agentFor(target.projectId, route);
        if (await parts.ideStatic.serve({ request, response, route, agent, framers: framers(target, state.port) })) return;
      }
      parts.proxy.request(request, response, { target, route, proof, redirected: (location) => parts.access.passOn(request, target, location), ...await pageRewriter(request, target, route, parts) }, (error) => {
        const again = !isSecond && !hasBody(request) && LINE_ERRORS.has(error.code);
        if (again) answerFromEnvironment(request, response, target, proof, parts, true).catch((second: unknown) => fail(request, response, VesselError.from(second), parts));
        else fail(request, response, error, parts);
      });
      return;
    case 'starting':
      if (target.kind === 'ide' && await whileStarting(request, response, target, route, proof, parts)) return;
      sendPage(request, response, 503, target, startingPage(target), new VesselError('IDE_NOT_READY', 'The environment is starting'), state.port);
      return;
    case 'unreachable': {
      options.routes.noteWaiting(target.projectId);
      const known = await untilReachable(() => options.routes.resolve(target.projectId), holdMs(request), () => response.destroyed);
      if (known.kind === 'unreachable') sendPage(request, response, 503, target, unreachablePage(known, target, state.port), hostAway(known), state.port);
      else await answerFromEnvironment(request, response, target, proof, parts, isSecond);
      return;
    }
    case 'stopping': sendPage(request, response, 503, target, stoppingPage(route.name), new VesselError('ILLEGAL_TRANSITION', 'The environment is stopping'), state.port); return;
    case 'not-running': sendPage(request, response, 503, target, notRunningPage(target, route.name, state.port), new VesselError('VM_NOT_FOUND', 'The environment is not running', { hint: 'Open the project.' }), state.port); return;
    case 'unknown': sendPage(request, response, 404, target, unknownPage(target, state.port), new VesselError('NOT_FOUND', 'There is no such environment'), state.port); return;
  }
}

/**
 * Only the workbench's page is rewritten. Its big files come from the shared origin where the browser keeps one copy for all
 * environments: that is where the page is same-site with the app. On `<id>.localhost` every environment is a site of its own.
 */
async function pageRewriter(request: IncomingMessage, target: EnvironmentTarget, route: RunningRoute, parts: Parts): Promise<Pick<Passage, 'rewrite'>> {
  if (target.kind !== 'ide' || !wantsPage(request)) return {};
  return { rewrite: await parts.ideStatic.pageRewriter(route, sharedOrigin(target, parts)) };
}

const sharedOrigin = ({ frame }: EnvironmentTarget, { state }: Parts): string | null => (frame ? originOf(ASSETS_HOST, state.port) : null);

/**
 * A workbench that is loaded while its environment starts: its page is the one that was recorded with the image, and what only the guest can answer waits for
 * it. True when the request has been answered.
 */
async function whileStarting(request: IncomingMessage, response: ServerResponse, target: EnvironmentTarget, route: Extract<Route, { kind: 'starting' }>, proof: Proof, parts: Parts): Promise<boolean> {
  const { host } = request.headers;
  const page = route.ideStaticDir === null || host === undefined || !wantsPage(request) ? null : await parts.ideStatic.startingPage(route.ideStaticDir, host, sharedOrigin(target, parts));
  if (page !== null && request.url === '/') {
    parts.access.passOn(request, target, page.url);
    sendBody(response, 302, { location: page.url, 'cache-control': 'no-store' }, '');
    return true;
  }
  if (page !== null && request.url === page.url) {
    sendWorkbench(response, page, target, parts);
    return true;
  }
  const known = await untilReachable(() => parts.options.routes.resolve(target.projectId), holdMs(request), () => response.destroyed);
  if (known.kind === 'starting') return false;
  await answerFromEnvironment(request, response, target, proof, parts);
  return true;
}

const holdMs = (request: IncomingMessage): number => (wantsPage(request) && request.headers['sec-fetch-dest'] !== 'iframe' ? HOLD_TAB_MS : HOLD_MS);

const hostAway = ({ hostName }: Extract<Route, { kind: 'unreachable' }>): VesselError => new VesselError('HOST_UNREACHABLE', `The line to ${hostName} is down`, { hint: 'The environment goes on there. Vessel reconnects by itself.' });

/** Changes nothing when it is asked a second time: browsers themselves repeat such requests. */
const hasBody = ({ method, headers }: IncomingMessage): boolean => (method !== 'GET' && method !== 'HEAD') || headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
/** What a request meets when the line to its host breaks around it. */
const LINE_ERRORS: ReadonlySet<VesselError['code']> = new Set(['SSH_CONNECTION_LOST', 'SSH_REFUSED', 'SSH_TIMEOUT', 'SSH_HANDSHAKE_FAILED', 'GUEST_UNREACHABLE']);

function answerUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, parts: Parts): void {
  const target = requireTarget(request, parts.state.port);
  if (target.kind === 'assets') throw new VesselError('NOT_FOUND');
  const proof = parts.access.require(request, target, true);
  if (target.kind === 'app' || target.kind === 'loopback') {
    if (parts.state.door === null) throw new VesselError('HOST_UNREACHABLE', 'Vessel is still starting');
    parts.state.door.upgrade(request, socket, head);
    return;
  }
  const passOn = (route: Route): void => {
    if (route.kind === 'unreachable') throw hostAway(route);
    if (route.kind !== 'running') throw new VesselError('VM_NOT_FOUND', `The environment is ${route.kind === 'stopping' ? 'stopping' : 'not running'}`);
    parts.options.routes.noteActivity(target.projectId, target.kind === 'ide' ? 'ide' : 'http');
    parts.proxy.upgrade(request, socket, head, { target, route, proof, cookie: renewedCookie(request, target, parts) });
  };
  const resolve = (): Route => parts.options.routes.resolve(target.projectId);
  const present = resolve();
  if (!comes(present) || (present.kind === 'starting' && target.kind !== 'ide')) { passOn(present); return; }
  socket.on('error', () => socket.destroy());
  untilReachable(resolve, HOLD_MS, () => socket.destroyed).then(passOn).catch((error: unknown) => refuseUpgrade(socket, VesselError.from(error)));
}

/** The one place where a failed request becomes an answer: a page for people, an ErrorShape for programs. */
function fail(request: IncomingMessage, response: ServerResponse, error: VesselError, parts: Parts): void {
  const { port } = parts.state;
  const target = parseHost(request.headers.host, port);
  if (error.code === 'INTERNAL') parts.options.log(`gateway: ${error.message}`);
  if (target === null || !wantsPage(request)) sendError(response, error);
  else if (error.code === 'UNAUTHENTICATED' && target.kind === 'app' && request.method === 'GET') sendRenewal(response, renderPage(notAuthorisedPage(target, false, port)));
  else if (error.code === 'FORBIDDEN_ORIGIN' && isNavigation(request)) sendPage(request, response, 403, target, continuePage(target), error, port);
  else if (error.code === 'UNAUTHENTICATED') sendPage(request, response, 401, target, notAuthorisedPage(target, request.headers['sec-fetch-site'] === 'cross-site', port), error, port);
  else if (target.kind === 'ide' || target.kind === 'port') sendPage(request, response, httpStatus(error.code), target, guestErrorPage(target, error, port), error, port);
  else sendPage(request, response, httpStatus(error.code), target, { title: error.message, text: [error.hint] }, error, port);
}

const isNavigation = ({ headers }: IncomingMessage): boolean => headers['sec-fetch-mode'] === 'navigate';

function sendPage(request: IncomingMessage, response: ServerResponse, status: number, target: Target, page: Page, error: VesselError, port: number): void {
  if (wantsPage(request)) sendBody(response, status, pageHeaders(framersOf(target, port)), renderPage(page));
  else sendError(response, error, status);
}

const framersOf = (target: Target, port: number): readonly string[] => target.kind === 'ide' || target.kind === 'port' ? framers(target, port) : [];
