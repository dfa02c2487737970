import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { errnoOf } from '../log.ts';
import { upgradeHeaders } from './forwarded-headers.ts';
import { faultOf, otherLoopback, otherWay, remember, routeOf, secure, TLS_ALERT, TLS_OPTIONS, type PortRoute } from './port-route.ts';
import { MAX_ANSWER_HEADER_BYTES, type ProxyTarget } from './proxy.ts';
import { refuseUpgrade } from './respond.ts';

/** Room for one read: what loopback delivers at once. */
const READ_BYTES = 64 * 1024;

/** The server broke off before it said a word, or spoke TLS: it may speak the other protocol. */
class NoAnswer extends Error {
  readonly code = 'ECONNRESET';
}

/** Splices an upgrade (WebSocket) to a port on the guest's loopback. `onClientData` sees the length of each chunk that the client sends. */
export async function proxyUpgrade(request: IncomingMessage, client: Duplex, head: Buffer, target: ProxyTarget, onClientData: (bytes: number) => void): Promise<void> {
  // Until the splice stands, an error of the client only means that it went away.
  client.on('error', () => client.destroy());
  const first = routeOf(target.port);
  const opening = Buffer.concat([Buffer.from(requestText(request, target.path), 'latin1'), head]);
  try {
    const { upstream, route } = await open(target.port, first, opening, client).catch(async (error: unknown) => {
      const other = error instanceof NoAnswer || errnoOf(error) === 'EPROTO' ? await otherWay(target.port, first) : null;
      if (other === null) throw error;
      return open(target.port, other, opening, client);
    });
    remember(target.port, route, false);
    if (client.destroyed) {
      upstream.destroy();
      return;
    }
    client.on('data', (chunk: Buffer) => onClientData(chunk.length));
    client.on('close', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    upstream.on('close', () => client.destroy());
    upstream.on('end', () => client.end());
    client.pipe(upstream);
  } catch (error) {
    if (!client.destroyed) refuseUpgrade(client, target.failed(faultOf(error, MAX_ANSWER_HEADER_BYTES)));
  }
}

function requestText(request: IncomingMessage, path: string): string {
  const lines = [`${request.method ?? 'GET'} ${path} HTTP/1.1`];
  const headers = upgradeHeaders(request.rawHeaders);
  for (let index = 0; index + 1 < headers.length; index += 2) lines.push(`${headers[index] ?? ''}: ${headers[index + 1] ?? ''}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

type Opened = { readonly upstream: Socket; readonly route: PortRoute };

async function open(port: number, route: PortRoute, opening: Buffer, client: Duplex): Promise<Opened> {
  const dial = route.tls ? dialTls : dialPlain;
  try {
    return { upstream: await dial(port, route.host, opening, client), route };
  } catch (error) {
    if (errnoOf(error) !== 'ECONNREFUSED') throw error;
    const other = otherLoopback(route);
    return { upstream: await dial(port, other.host, opening, client), route: other };
  }
}

/**
 * Connects, sends the request, and resolves with the first bytes of the answer; what arrives is passed to `client`. All reads share one buffer: a new one
 * for each would cost an emulated guest more than the copying itself, in collecting them. Nothing is read before the last of it was written.
 */
function dialPlain(port: number, host: string, opening: Buffer, client: Duplex): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let answered = false;
    const noAnswer = (): void => { if (!answered) reject(new NoAnswer('no answer')); };
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback(bytes: number, buffer: Uint8Array): boolean {
        if (!answered && buffer[0] === TLS_ALERT) {
          socket.destroy();
          return false;
        }
        if (!answered) {
          answered = true;
          socket.removeListener('error', reject);
          resolve(socket);
        }
        client.write(buffer.subarray(0, bytes));
        const written = client.writableLength === 0;
        if (!written) client.write('', () => { socket.resume(); });
        return written;
      },
    };
    const socket = connect({ host, port, noDelay: true, onread });
    socket.once('connect', () => socket.write(opening));
    socket.once('error', reject);
    socket.once('end', noAnswer);
    socket.once('close', noAnswer);
    client.once('close', () => socket.destroy());
  });
}

/** The same for a server of TLS. */
function dialTls(port: number, host: string, opening: Buffer, client: Duplex): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = secure().connect({ host, port, ...TLS_OPTIONS });
    socket.setNoDelay(true);
    socket.once('secureConnect', () => socket.write(opening));
    socket.once('error', reject);
    socket.once('close', () => reject(new NoAnswer('no answer')));
    socket.once('data', (chunk: Buffer) => {
      socket.removeListener('error', reject);
      resolve(socket);
      client.write(chunk);
      socket.pipe(client);
    });
    client.once('close', () => socket.destroy());
  });
}
