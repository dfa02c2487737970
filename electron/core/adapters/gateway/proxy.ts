import { request as httpRequest, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';
import { z } from 'zod';
import { ErrorShapeSchema, VesselError } from '#shared/errors.ts';
import { GUEST_PORT_PREFIX } from '#shared/guest-protocol.ts';
import type { Proof } from './access.ts';
import { towardsBrowser, towardsGuest } from './headers.ts';
import type { EnvironmentTarget } from './hosts.ts';
import { refuseUpgrade } from './respond.ts';
import type { RunningRoute, Upstreams } from './upstream.ts';

/** One request on its way into an environment. */
export type Passage = {
  readonly target: EnvironmentTarget;
  readonly route: RunningRoute;
  readonly proof: Proof;
  /** A Set-Cookie of Vessel's own that an upgrade's answer carries; a request's lies on its response already. */
  readonly cookie?: string | null;
  /** Told where the guest's answer sends the browser. */
  readonly redirected?: (location: string | undefined) => void;
  /** Changes a page on its way to the browser; see workbench-page.ts. Returns null to leave it as it is. */
  readonly rewrite?: (html: string, policy: string) => { readonly html: string; readonly policy: string } | null;
};
export type Proxy = {
  /** Streams the request into the guest and the answer back. `onFailure` answers when the guest could not (nothing was sent yet). */
  request(request: IncomingMessage, response: ServerResponse, passage: Passage, onFailure: (error: VesselError) => void): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, passage: Passage): void;
};

/** The path at the agent. Throws BAD_REQUEST for targets that could climb into the agent's own API. */
export function guestPath(url: string | undefined, target: EnvironmentTarget): string {
  const path = url ?? '/';
  const pathname = path.split(/[?#]/, 1)[0] ?? '/';
  const hasDotSegment = /(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\]|$)/i.test(pathname.replace(/%2f|%5c/gi, '/'));
  if (!path.startsWith('/') || hasDotSegment) throw new VesselError('BAD_REQUEST', 'The request target is not a plain path');
  if (target.kind === 'port') return `${GUEST_PORT_PREFIX}/${target.guestPort}${path}`;
  if (/^[/\\]*_vessel(?:[/\\]|$)/i.test(decodeLoosely(pathname))) throw new VesselError('NOT_FOUND', 'The agent is not served to browsers');
  return path;
}

/** Percent signs that are no escapes stay: the guest may know what they mean. */
const decodeLoosely = (text: string): string => text.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** Browsers take 256 KB of an answer's headers; a page with many cookies or preload links comes near Node's own limit of 16 KB. */
const MAX_ANSWER_HEADER_BYTES = 256 * 1024;

/**
 * Node sends a body of unknown length without any framing when the method is one that seldom has a body; on a kept connection what follows would be read
 * as the next request.
 */
function framing({ headers }: IncomingMessage): OutgoingHttpHeaders {
  const encoding = headers['transfer-encoding'];
  if (encoding === undefined) return {};
  if (encoding.trim().toLowerCase() !== 'chunked') throw new VesselError('BAD_REQUEST', `The transfer encoding ${encoding} is not supported`);
  return { 'transfer-encoding': 'chunked' };
}

/** Whether a body comes with the request, whatever its method: `DELETE`, `OPTIONS` and `GET` may have one. */
const hasBodyOf = ({ headers }: IncomingMessage): boolean => headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

export function createProxy(upstreams: Upstreams, gatewayPort: () => number): Proxy {
  const open = (request: IncomingMessage, { target, route, proof }: Passage, extra: Readonly<Record<string, string>> = {}): ClientRequest => httpRequest({
    agent: upstreams.agentFor(target.projectId, route),
    method: request.method ?? 'GET',
    path: guestPath(request.url, target),
    // Loopback gains nothing from compression, and the guest's (often emulated) processor would pay for it.
    headers: { ...towardsGuest(request, target, route.token, proof), ...framing(request), ...(target.kind === 'ide' ? { 'accept-encoding': 'identity' } : {}), ...extra },
    setHost: false,
    maxHeaderSize: MAX_ANSWER_HEADER_BYTES,
  });

  const pass = async (answer: IncomingMessage, request: IncomingMessage, response: ServerResponse, passage: Passage, onFailure: (error: VesselError) => void): Promise<void> => {
    const status = answer.statusCode ?? 502;
    if (status >= 300 && status < 400) passage.redirected?.(answer.headers.location);
    const headers = (): OutgoingHttpHeaders => {
      const out = towardsBrowser(answer, passage.target, gatewayPort());
      // A renewed session beside what the guest sets.
      const own = response.getHeader('set-cookie');
      return own === undefined || out['set-cookie'] === undefined ? out : { ...out, 'set-cookie': [own, out['set-cookie']].flat().map(String) };
    };
    if (mayBeAgentFailure(answer)) {
      const body = await readAll(answer, MAX_FAILURE_BYTES);
      const failure = agentFailure(body);
      if (failure !== null) onFailure(failure);
      else response.writeHead(status, answer.statusMessage, headers()).end(body);
    } else if (passage.rewrite !== undefined && status === 200 && request.method === 'GET' && isPlainHtml(answer)) {
      const body = await readAll(answer, MAX_PAGE_BYTES);
      const policy: string | string[] = answer.headers['content-security-policy'] ?? '';
      const changed = passage.rewrite(body.toString('utf8'), Array.isArray(policy) ? policy.join(', ') : policy);
      if (changed !== null && changed.policy !== '') answer.headers['content-security-policy'] = changed.policy;
      const out = changed === null ? body : Buffer.from(changed.html);
      response.writeHead(200, { ...headers(), 'content-length': out.length }).end(out);
    } else {
      response.writeHead(status, answer.statusMessage, headers());
      // An error of either side ends both; pipeline's callback has nothing left to do.
      pipeline(answer, response, () => undefined);
      // Headers do not wait for data that may come much later (an EventSource opens with them); what is here already goes out in one piece with them.
      setImmediate(() => { if (!response.destroyed && !response.writableEnded) response.flushHeaders(); });
    }
  };

  const forward = (request: IncomingMessage, response: ServerResponse, passage: Passage, onFailure: (error: VesselError) => void, isRetry: boolean): void => {
    const outgoing = open(request, passage);
    const hasBody = hasBodyOf(request);
    const abandon = (): void => { outgoing.destroy(); };
    response.once('close', abandon);
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      response.off('close', abandon);
      if (response.destroyed) return; // the browser left; that is why
      request.unpipe(outgoing);
      request.resume(); // or the answer below waits behind the rest of the upload
      // A kept-alive connection may be closed by the guest at the very moment it is used again.
      if (!isRetry && !hasBody && !response.headersSent && outgoing.reusedSocket && error.code === 'ECONNRESET') forward(request, response, passage, onFailure, true);
      else if (response.headersSent) response.destroy();
      else onFailure(error instanceof VesselError ? error : new VesselError('GUEST_UNREACHABLE', undefined, { cause: error }));
    });
    outgoing.once('response', (answer) => {
      pass(answer, request, response, passage, onFailure).catch(() => response.destroy()); // the guest broke off in the middle
    });
    // Not pipeline(): when the guest refuses an upload, the browser's side must stay open for the answer.
    if (hasBody) request.pipe(outgoing);
    else outgoing.end();
  };

  /** An upgrade that was answered like any request: what the guest's server said (a 401 with its challenge, a page) is what the browser gets. */
  const refuse = async (answer: IncomingMessage, socket: Duplex, passage: Passage): Promise<void> => {
    let body: Buffer | null = null;
    if (mayBeAgentFailure(answer)) {
      body = await readAll(answer, MAX_FAILURE_BYTES);
      const failure = agentFailure(body);
      if (failure !== null) {
        refuseUpgrade(socket, failure, answer.statusCode);
        return;
      }
    }
    socket.write(headText(answer, { ...towardsBrowser(answer, passage.target, gatewayPort()), connection: 'close' }), 'latin1');
    if (body !== null) socket.end(body);
    else pipeline(answer, socket, () => { socket.destroy(); });
  };

  return {
    request: (request, response, passage, onFailure) => forward(request, response, passage, onFailure, false),

    upgrade(request, socket, head, passage) {
      const outgoing = open(request, passage, { connection: 'Upgrade', upgrade: request.headers.upgrade ?? 'websocket' });
      const abandon = (): void => { outgoing.destroy(); };
      socket.on('error', abandon);
      socket.once('close', abandon);
      outgoing.once('error', (error) => {
        if (!socket.destroyed) refuseUpgrade(socket, error instanceof VesselError ? error : new VesselError('GUEST_UNREACHABLE', undefined, { cause: error }));
      });
      outgoing.once('response', (answer) => { refuse(answer, socket, passage).catch(() => socket.destroy()); });
      outgoing.once('upgrade', (answer, upstream: Socket, upstreamHead) => {
        socket.write(upgradeHead(answer, passage, gatewayPort()));
        splice(socket, upstream, head, upstreamHead);
      });
      outgoing.end();
    },
  };
}

/** Pages are some kilobytes; what is larger is not the workbench's page and passes as it is. */
const MAX_PAGE_BYTES = 512 * 1024;
const isPlainHtml = (answer: IncomingMessage): boolean => answer.headers['content-type']?.startsWith('text/html') === true && answer.headers['content-encoding'] === undefined
  && Number(answer.headers['content-length'] ?? 0) <= MAX_PAGE_BYTES;

/** The agent's own failures are short `{error: ErrorShape}` documents. A guest server that imitates one only spoils its own page. */
const MAX_FAILURE_BYTES = 64 * 1024;
const AGENT_FAILURES: ReadonlySet<string> = new Set(['GUEST_PORT_CLOSED', 'GUEST_PORT_FAILED', 'GUEST_UNAUTHORIZED', 'IDE_NOT_READY']);
const mayBeAgentFailure = (answer: IncomingMessage): boolean => (answer.statusCode === 401 || answer.statusCode === 502 || answer.statusCode === 503)
  && answer.headers['content-type'] === 'application/json' && Number(answer.headers['content-length'] ?? Infinity) <= MAX_FAILURE_BYTES;

function agentFailure(body: Buffer): VesselError | null {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return null; // some other server's answer
  }
  const parsed = z.object({ error: ErrorShapeSchema }).safeParse(value);
  return parsed.success && AGENT_FAILURES.has(parsed.data.error.code) ? VesselError.fromShape(parsed.data.error) : null;
}

async function readAll(answer: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > limit) throw new VesselError('GUEST_UNREACHABLE', 'The answer is longer than it said');
  }
  return Buffer.concat(chunks);
}

function upgradeHead(answer: IncomingMessage, { target, cookie }: Passage, port: number): string {
  const headers = towardsBrowser(answer, target, port);
  const cookies = [headers['set-cookie'] ?? [], cookie ?? []].flat().map(String);
  return headText(answer, { ...headers, ...(cookies.length === 0 ? {} : { 'set-cookie': cookies }), connection: 'Upgrade', upgrade: answer.headers.upgrade ?? 'websocket' });
}

/** A raw answer's head. Node has checked each header on the way in, so no line break hides in one. */
function headText({ statusCode = 502, statusMessage = '' }: IncomingMessage, headers: OutgoingHttpHeaders): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => [value ?? []].flat().map((one) => `${name}: ${String(one)}`));
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** Joins two byte streams; either end closing, in whatever way, closes the other. */
function splice(socket: Duplex, upstream: Duplex, head: Buffer, upstreamHead: Buffer): void {
  for (const end of [socket, upstream] as readonly (Duplex & { setNoDelay?: (on: boolean) => unknown; setTimeout?: (ms: number) => unknown })[]) {
    end.setNoDelay?.(true); // keystrokes must not wait for Nagle
    end.setTimeout?.(0);
  }
  if (upstreamHead.length > 0) socket.write(upstreamHead);
  if (head.length > 0) upstream.write(head);
  pipeline(socket, upstream, socket, () => {
    socket.destroy();
    upstream.destroy();
  });
}
