import type { IncomingMessage, ServerResponse } from 'node:http';

/** What may go wrong with one request. */
export type Fault =
  /** Answers this instead of doing it; a string as it is, anything else as JSON. */
  | { readonly kind: 'status'; readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  /** Breaks the connection after so many bytes of the request's body. */
  | { readonly kind: 'cut-upload'; readonly afterBytes: number }
  /** Breaks the connection after so many bytes of the answer's body. */
  | { readonly kind: 'cut-download'; readonly afterBytes: number }
  /** Does it, and breaks the connection instead of saying so. */
  | { readonly kind: 'lose-answer' };

export type SeenRequest = { readonly method: string; readonly path: string; readonly headers: IncomingMessage['headers'] };

/** Faults by rule: each rule sees every request in turn and says what goes wrong with it, if anything. */
export class Faults {
  readonly seen: SeenRequest[] = [];
  #rule: (request: SeenRequest) => Fault | null = () => null;

  set(rule: (request: SeenRequest) => Fault | null): void { this.#rule = rule; }
  /** The next `times` requests that match fail so. */
  next(match: RegExp, fault: Fault, times = 1): void {
    let left = times;
    this.set(({ method, path }) => match.test(`${method} ${path}`) && left > 0 && left-- > 0 ? fault : null);
  }
  clear(): void { this.#rule = () => null; this.seen.length = 0; }

  /** True when the request was answered here. Otherwise cuts are armed on its streams. */
  meet(request: IncomingMessage, response: ServerResponse): boolean {
    const seen = { method: request.method ?? '', path: (request.url ?? '').split('?')[0] ?? '', headers: request.headers };
    this.seen.push(seen);
    const fault = this.#rule(seen);
    if (fault === null) return false;
    switch (fault.kind) {
      case 'status':
        request.resume();
        response.writeHead(fault.status, { 'content-type': typeof fault.body === 'string' ? 'text/plain' : 'application/json', ...fault.headers });
        response.end(typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body ?? {}));
        return true;
      case 'cut-upload':
        cutAfter(request, fault.afterBytes);
        return false;
      case 'cut-download': {
        let bytes = 0;
        const write = response.write.bind(response) as (chunk: Buffer) => boolean;
        response.write = ((chunk: Buffer) => {
          const room = fault.afterBytes - bytes;
          bytes += chunk.length;
          if (bytes <= fault.afterBytes) return write(chunk);
          if (room > 0) write(chunk.subarray(0, room));
          setTimeout(() => request.socket.destroy(), 5);
          return false;
        }) as typeof response.write;
        return false;
      }
      case 'lose-answer':
        response.writeHead = (() => { response.socket?.destroy(); return response; }) as typeof response.writeHead;
        return false;
    }
  }
}

function cutAfter(request: IncomingMessage, afterBytes: number): void {
  if (afterBytes === 0) { request.socket.destroy(); return; }
  let bytes = 0;
  const push = request.push.bind(request);
  request.push = (chunk: Buffer | null) => {
    if (bytes >= afterBytes) return false; // what would still arrive does not
    if (chunk === null) return push(chunk);
    bytes += chunk.length;
    if (bytes < afterBytes) return push(chunk);
    push(chunk.subarray(0, chunk.length - (bytes - afterBytes)));
    setImmediate(() => request.socket.destroy());
    return false;
  };
}
