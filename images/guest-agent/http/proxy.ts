import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { VesselError } from '#shared/vessel-error.ts';
import { errnoOf } from '../log.ts';
import { refuseUpgrade, sendError } from './respond.ts';

/** Names of the hop between two machines, never passed on (RFC 9110, 7.6.1), and the bearer, which is ours alone. */
const NOT_FORWARDED: ReadonlySet<string> = new Set(['authorization', 'connection', 'keep-alive', 'proxy-authorization', 'proxy-authenticate', 'proxy-connection', 'te', 'upgrade']);

/** Where the gateway puts the caller's own Authorization while the agent's bearer takes its place; it is put back for the guest's server. */
const ORIGINAL_AUTHORIZATION = 'x-vessel-authorization';

/** `closed` makes what the client gets when nothing listens. */
export type ProxyTarget = {
  readonly port: number;
  readonly path: string;
  readonly closed: () => VesselError;
};

/** An upgrade is passed on with its own `connection` and `upgrade`, all but the bearer. */
const NOT_FORWARDED_UPGRADE: ReadonlySet<string> = new Set(['authorization']);

/** Which loopback address a port answered on last: servers bind to 127.0.0.1, ::1 or both. */
const loopbackOfPort = new Map<number, string>();
const LOOPBACKS = ['127.0.0.1', '::1'] as const;
const otherLoopback = (host: string): string => (host === LOOPBACKS[0] ? LOOPBACKS[1] : LOOPBACKS[0]);

/** Idle upstream connections kept; a page load of VS Code uses six. */
const keepAliveAgent = new Agent({ keepAlive: true, maxFreeSockets: 8, scheduling: 'lifo' });

/** Raw headers (name, value, name, …) without `dropped`, and with the caller's own Authorization back in its place. */
function forwardedHeaders(raw: readonly string[], dropped: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const lower = name.toLowerCase();
    if (lower === ORIGINAL_AUTHORIZATION) kept.push('Authorization', raw[index + 1] ?? '');
    else if (!dropped.has(lower)) kept.push(name, raw[index + 1] ?? '');
  }
  return kept;
}

/** Passes one HTTP request to a port on the guest's loopback and streams the answer back; `Host` stays as the client sent it. */
export function proxyRequest(request: IncomingMessage, response: ServerResponse, target: ProxyTarget): void {
  const headers = forwardedHeaders(request.rawHeaders, NOT_FORWARDED);
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;

  const attempt = (host: string, mayRetry: boolean): void => {
    const upstream = httpRequest({ host, port: target.port, method: request.method, path: target.path, headers, agent: keepAliveAgent, setHost: false });
    upstream.setNoDelay(true);
    let answered = false;
    upstream.on('response', (answer) => {
      answered = true;
      loopbackOfPort.set(target.port, host);
      response.sendDate = false;
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, forwardedHeaders(answer.rawHeaders, NOT_FORWARDED));
      answer.on('error', () => response.destroy());
      answer.on('aborted', () => response.destroy());
      answer.pipe(response);
    });
    upstream.on('error', (error) => {
      if (answered || response.destroyed) {
        response.destroy();
      } else if (mayRetry && errnoOf(error) === 'ECONNREFUSED') {
        // Nothing was sent yet: the request stream is untouched until the connection stands.
        attempt(otherLoopback(host), false);
      } else if (mayRetry && !hasBody && errnoOf(error) === 'ECONNRESET' && upstream.reusedSocket) {
        // A kept connection that the server closed at the same moment; safe to repeat without a body.
        attempt(host, false);
      } else {
        sendError(response, target.closed());
      }
    });
    response.on('close', () => upstream.destroy());
    if (!hasBody) upstream.end();
    else upstream.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => request.pipe(upstream));
      else request.pipe(upstream);
    });
  };
  attempt(loopbackOfPort.get(target.port) ?? LOOPBACKS[0], true);
}

/** Room for one read: what loopback delivers at once. */
const READ_BYTES = 64 * 1024;

/**
 * Connects to a port on loopback; what arrives is passed to `client`. All reads share one buffer: a new one for each would cost an emulated guest more
 * than the copying itself, in collecting them. Nothing is read before the last of it was written.
 */
function connectLoopback(port: number, client: Duplex): Promise<Socket> {
  const dial = (host: string): Promise<Socket> => new Promise((resolve, reject) => {
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback(bytes: number, buffer: Uint8Array): boolean {
        client.write(buffer.subarray(0, bytes));
        const written = client.writableLength === 0;
        if (!written) client.write('', () => { socket.resume(); });
        return written;
      },
    };
    const socket = connect({ host, port, noDelay: true, onread });
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      loopbackOfPort.set(port, host);
      resolve(socket);
    });
    socket.once('error', reject);
  });
  const first = loopbackOfPort.get(port) ?? LOOPBACKS[0];
  return dial(first).catch(() => dial(otherLoopback(first)));
}

/** Splices an upgrade (WebSocket) to a port on the guest's loopback. `onClientData` sees the length of each chunk that the client sends. */
export async function proxyUpgrade(request: IncomingMessage, client: Duplex, head: Buffer, target: ProxyTarget, onClientData: (bytes: number) => void): Promise<void> {
  // Until the splice stands, an error of the client only means that it went away.
  client.on('error', () => client.destroy());
  let upstream: Socket;
  try {
    upstream = await connectLoopback(target.port, client);
  } catch {
    // Whatever the errno: nothing usable listens there.
    refuseUpgrade(client, target.closed());
    return;
  }
  if (client.destroyed) {
    upstream.destroy();
    return;
  }
  const lines = [`${request.method ?? 'GET'} ${target.path} HTTP/1.1`];
  const headers = forwardedHeaders(request.rawHeaders, NOT_FORWARDED_UPGRADE);
  for (let index = 0; index + 1 < headers.length; index += 2) lines.push(`${headers[index] ?? ''}: ${headers[index + 1] ?? ''}`);
  upstream.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  if (head.length > 0) upstream.write(head);
  client.on('data', (chunk: Buffer) => onClientData(chunk.length));
  client.on('close', () => upstream.destroy());
  upstream.on('error', () => client.destroy());
  upstream.on('close', () => client.destroy());
  upstream.on('end', () => client.end());
  client.pipe(upstream);
}
