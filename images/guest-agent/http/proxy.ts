import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { VesselError } from '#shared/vessel-error.ts';
import { errnoOf } from '../log.ts';
import { answerHeaders, cleanText, requestHeaders } from './forwarded-headers.ts';
import { faultOf, isKnownPlain, KEPT, otherLoopback, otherWay, remember, routeOf, secure, TLS_ALERT, TLS_OPTIONS, type PortRoute } from './port-route.ts';
import { sendError } from './respond.ts';

/** `failed` makes what the client gets when the server gave no answer: `fault` says what it did, null that nothing listens. */
export type ProxyTarget = {
  readonly port: number;
  readonly path: string;
  readonly failed: (fault: string | null) => VesselError;
};

const plainAgent = new Agent(KEPT);

/** As much as browsers take; Node's own limit of 16 KB is met by pages with many cookies or preload links. */
export const MAX_ANSWER_HEADER_BYTES = 256 * 1024;
/** A body up to this size is kept until the port's server is known to have read it as HTTP: it may turn out to speak TLS. */
const REPLAY_BYTES = 256 * 1024;
const BAD_REQUEST = 400;

/** Passes one HTTP request to a port on the guest's loopback and streams the answer back; `Host` stays as the client sent it. */
export function proxyRequest(request: IncomingMessage, response: ServerResponse, target: ProxyTarget): void {
  new Passage(request, response, target).attempt(routeOf(target.port));
}

class Passage {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #target: ProxyTarget;
  readonly #headers: string[];
  readonly #hasBody: boolean;
  /** What was read of the body, to be sent again; null once it is more than {@link REPLAY_BYTES}. */
  #read: Buffer[] | null = [];
  #readBytes = 0;
  #isReading = false;
  /** Each of them may be done once for a request: the other loopback address, the other protocol, a new connection. */
  readonly #tried = new Set<'loopback' | 'protocol' | 'connection'>();

  constructor(request: IncomingMessage, response: ServerResponse, target: ProxyTarget) {
    this.#request = request;
    this.#response = response;
    this.#target = target;
    this.#headers = requestHeaders(request.rawHeaders);
    this.#hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  }

  attempt(route: PortRoute): void {
    const { port, path } = this.#target;
    const options = {
      host: route.host, port, method: this.#request.method, path, headers: this.#headers, setHost: false, maxHeaderSize: MAX_ANSWER_HEADER_BYTES,
      // Browsers forgive servers much. This connection is between a guest and itself; what leaves here is written anew, strictly.
      insecureHTTPParser: true,
    };
    const upstream = route.tls ? secure().request({ ...options, ...TLS_OPTIONS, agent: secure().agent }) : httpRequest({ ...options, agent: plainAgent });
    upstream.setNoDelay(true);
    const abandon = (): void => { upstream.destroy(); };
    this.#response.once('close', abandon);
    let answered = false;
    upstream.once('response', (answer) => {
      answered = true;
      this.#answer(answer, upstream, route).catch(() => this.#response.destroy());
    });
    upstream.on('error', (error) => {
      if (answered || this.#response.destroyed) {
        this.#response.destroy();
        return;
      }
      this.#response.off('close', abandon);
      this.#request.unpipe(upstream);
      this.#again(error, upstream, route).catch((failure: unknown) => sendError(this.#response, failure));
    });
    this.#send(upstream, route);
  }

  #send(upstream: ClientRequest, { tls }: PortRoute): void {
    if (!this.#hasBody) {
      upstream.end();
      return;
    }
    const begin = (): void => {
      for (const chunk of this.#read ?? []) upstream.write(chunk);
      if (!this.#isReading) {
        this.#isReading = true;
        this.#request.on('data', (chunk: Buffer) => this.#keep(chunk));
      }
      this.#request.pipe(upstream);
    };
    // Not before the connection stands: until then the request's stream is untouched.
    upstream.on('socket', (socket) => {
      if (socket.connecting) socket.once(tls ? 'secureConnect' : 'connect', begin);
      else begin();
    });
  }

  #keep(chunk: Buffer): void {
    this.#readBytes += chunk.length;
    if (this.#readBytes > REPLAY_BYTES) this.#read = null;
    else this.#read?.push(chunk);
  }

  async #answer(answer: IncomingMessage, upstream: ClientRequest, route: PortRoute): Promise<void> {
    const { port } = this.#target;
    const status = answer.statusCode ?? 502;
    // Servers of HTTPS answer plain HTTP in words, with this status.
    if (status === BAD_REQUEST && !route.tls && !isKnownPlain(port)) {
      const other = this.#mayReplay('protocol') ? await otherWay(port, route) : null;
      if (other !== null) {
        this.#request.unpipe(upstream);
        upstream.destroy();
        this.attempt(other);
        return;
      }
    }
    remember(port, route, status !== BAD_REQUEST);
    // What was kept of the body will not be needed.
    this.#read = null;
    const { headers } = this.#request;
    this.#response.sendDate = false;
    this.#response.writeHead(status, cleanText(answer.statusMessage ?? ''), answerHeaders(answer.rawHeaders, route.tls ? headers.host?.toLowerCase() ?? null : null));
    answer.on('error', () => this.#response.destroy());
    answer.on('aborted', () => this.#response.destroy());
    answer.pipe(this.#response);
    // Headers do not wait for data that may come much later; what is here already goes out in one piece with them.
    setImmediate(() => { if (!this.#response.destroyed && !this.#response.writableEnded) this.#response.flushHeaders(); });
  }

  /** Tries what may still lead to an answer, else says what the server did. */
  async #again(error: Error, upstream: ClientRequest, route: PortRoute): Promise<void> {
    const { port, failed } = this.#target;
    const code = errnoOf(error);
    if (code === 'ECONNREFUSED' && this.#may('loopback')) {
      this.attempt(otherLoopback(route));
    } else if (!this.#hasBody && upstream.reusedSocket && code === 'ECONNRESET' && this.#may('connection')) {
      // A kept connection that the server closed at the same moment; safe to repeat without a body.
      this.attempt(route);
    } else if (code !== 'ECONNREFUSED' && mayBeOtherProtocol(error, code, route) && this.#mayReplay('protocol')) {
      const other = await otherWay(port, route);
      if (other === null) throw failed(faultOf(error, MAX_ANSWER_HEADER_BYTES));
      if (!this.#response.destroyed) this.attempt(other);
    } else {
      throw failed(faultOf(error, MAX_ANSWER_HEADER_BYTES));
    }
  }

  #may(what: 'loopback' | 'protocol' | 'connection'): boolean {
    if (this.#tried.has(what)) return false;
    this.#tried.add(what);
    return true;
  }

  #mayReplay(what: 'protocol'): boolean {
    return (!this.#hasBody || this.#read !== null) && this.#may(what);
  }
}

/** A server that speaks the other protocol breaks off, or answers with a TLS alert, which no parser of HTTP understands. */
function mayBeOtherProtocol(error: Error & { readonly rawPacket?: Buffer }, code: string, { tls }: PortRoute): boolean {
  if (tls) return code === 'EPROTO' || code.startsWith('ERR_SSL') || code === 'ECONNRESET';
  return code === 'ECONNRESET' || code === 'EPIPE' || (code.startsWith('HPE_') && error.rawPacket?.[0] === TLS_ALERT);
}
