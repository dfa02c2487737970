import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { ErrorShapeSchema, VesselError } from '#shared/errors.ts';
import { GUEST_API_PREFIX } from '#shared/guest-protocol.ts';
import type { GuestAgentPool } from './guest-agent-pool.ts';

export type GuestCall = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the API prefix, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Readable | string | null;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without a byte in either direction before GUEST_TIMEOUT. */
  readonly quietMs: number;
};

const ErrorBodySchema = z.object({ error: ErrorShapeSchema });
/** An error answer or a JSON document is never longer; a hostile guest must not fill our memory. */
const MAX_JSON_BYTES = 8 * 1024 * 1024;

/** Sends one request and resolves with the answer's head; a refusal is thrown as the error the guest named. */
export function send(pool: GuestAgentPool, token: string, call: GuestCall): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = request({
      agent: pool, method: call.method, path: `${GUEST_API_PREFIX}/${call.path}`, signal: call.signal, timeout: call.quietMs,
      headers: { host: 'guest', authorization: `Bearer ${token}`, ...call.headers },
    });
    outgoing.on('timeout', () => outgoing.destroy(new VesselError('GUEST_TIMEOUT', `The guest was silent for ${Math.round(call.quietMs / 1000)} s`, { details: { path: call.path.split('?')[0] } })));
    outgoing.on('error', (error) => reject(guestError(error, call.signal)));
    outgoing.on('response', (response) => {
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) { resolve(response); return; }
      readAll(response).then((body) => reject(refusal(status, body)), (error: unknown) => reject(guestError(error, call.signal)));
    });
    if (call.body === undefined || call.body === null) { outgoing.end(); return; }
    if (typeof call.body === 'string') { outgoing.end(call.body); return; }
    const body = call.body;
    body.on('error', (error) => { outgoing.destroy(error); reject(VesselError.from(error)); });
    outgoing.on('close', () => body.destroy());
    body.pipe(outgoing);
  });
}

/** Sends and parses a JSON answer. A question whose connection breaks is asked once more. */
export async function sendForJson<S extends z.ZodType>(pool: GuestAgentPool, token: string, call: GuestCall, schema: S): Promise<z.output<S>> {
  const ask = async (): Promise<Buffer> => {
    try {
      return await readAll(await send(pool, token, call));
    } catch (error) {
      throw guestError(error, call.signal);
    }
  };
  const body = await ask().catch((error: unknown) => {
    // An idle connection may end at the very moment it is used again, and the forwarder of a guest that was just restored
    // resets early ones. Questions change nothing, so a second try on a new connection is safe.
    if (call.method === 'GET' && call.signal?.aborted !== true && VesselError.from(error).code === 'GUEST_UNREACHABLE') return ask();
    throw error;
  });
  const parsed = schema.safeParse(parseJson(body));
  if (!parsed.success) throw new VesselError('GUEST_UNREACHABLE', `The guest agent answered ${call.path.split('?')[0]} in an unknown shape`, { cause: parsed.error });
  return parsed.data;
}

/** Transport failures in Vessel's words. */
export function guestError(error: unknown, signal?: AbortSignal): VesselError {
  if (signal?.aborted === true) return signal.reason instanceof VesselError ? signal.reason : new VesselError('CANCELLED');
  const known = VesselError.from(error);
  if (known.code !== 'INTERNAL') return known;
  return new VesselError('GUEST_UNREACHABLE', `The guest agent does not answer: ${known.message}`, { cause: error });
}

function refusal(status: number, body: Buffer): VesselError {
  const parsed = ErrorBodySchema.safeParse(parseJson(body));
  if (status === 401) return new VesselError('GUEST_UNAUTHORIZED');
  if (parsed.success) return VesselError.fromShape(parsed.data.error);
  return new VesselError('GUEST_UNREACHABLE', `The guest agent answered with status ${status}`, { details: { status } });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Not JSON: the schema that follows says so in the caller's words.
    return undefined;
  }
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_JSON_BYTES) { response.destroy(); throw new VesselError('GUEST_UNREACHABLE', 'The guest agent sent an endless answer'); }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
