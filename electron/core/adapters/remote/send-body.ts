import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type Agent } from 'node:https';
import { VesselError } from '#shared/errors.ts';

/** A link on which nothing moves for so long, neither up nor down, is dead: TCP itself would wait for a quarter of an hour. */
export const STALL_MS = 60_000;
/** Refusals are short; what is longer is cut off. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** The rest of an answer whose beginning is there. */
const ANSWER_MS = 10_000;

export type BodyRequest = {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly signal?: AbortSignal | undefined;
  /** Keeps the connection for the next piece; without it each request has its own. */
  readonly agent?: Agent | undefined;
  readonly stallMs?: number | undefined;
};

/**
 * Sends bytes and gives the answer. `fetch` cannot do this well: it has no time-out for a body that no longer moves, and a server that refuses
 * early and reads no further leaves it and whatever comes next on that connection waiting. Here the body stops with the answer, and the
 * connection goes. Throws CANCELLED, CLOUD_OFFLINE.
 */
export function sendBody(address: string, { method, headers, body, signal, agent, stallMs = STALL_MS }: BodyRequest): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) { reject(new VesselError('CANCELLED')); return; }
    const make = new URL(address).protocol === 'https:' ? httpsRequest : httpRequest;
    const request = make(address, { method, headers: { ...headers, 'content-length': String(body.byteLength) }, ...(agent === undefined ? { agent: false } : { agent }) });
    const cancel = (): void => { request.destroy(new VesselError('CANCELLED')); };
    const end = (): void => signal?.removeEventListener('abort', cancel);
    const fail = (error: Error): void => { end(); request.destroy(); reject(error instanceof VesselError ? error : new VesselError('CLOUD_OFFLINE', undefined, { cause: error })); };
    signal?.addEventListener('abort', cancel, { once: true });
    request.setTimeout(stallMs, () => request.destroy(new VesselError('CLOUD_OFFLINE', `Nothing moved for ${Math.round(stallMs / 1000)} s`)));
    request.once('error', fail);
    request.once('response', (response) => {
      readText(response).then((text) => {
        end();
        // It answered before it had everything: the rest is of no interest to it.
        if (!request.writableFinished) request.destroy();
        resolve(answerOf(response, text));
      }, fail);
    });
    request.end(body);
  });
}

/** As much of the answer as is worth reading. A link that breaks in it leaves what came: the status is known. */
function readText(response: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const done = (): void => { clearTimeout(timer); resolve(Buffer.concat(chunks).toString('utf8')); };
    const timer = setTimeout(() => { response.destroy(); done(); }, ANSWER_MS);
    response.on('data', (chunk: Buffer) => { chunks.push(chunk); bytes += chunk.length; if (bytes > MAX_ANSWER_BYTES) response.destroy(); });
    for (const event of ['end', 'error', 'close'] as const) response.once(event, done);
  });
}

function answerOf({ statusCode = 0, headers }: IncomingMessage, text: string): Response {
  const kept = new Headers();
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) kept.set(name, Array.isArray(value) ? value.join(', ') : value);
  return new Response(statusCode === 204 || statusCode === 304 ? null : text, { status: statusCode, headers: kept });
}
