import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { GUEST_API_PREFIX } from '#shared/guest-protocol.ts';
import { guestFailure, GUEST_LIMITS, parseGuestJson } from '#shared/guest-text.ts';
import type { GuestAgentPool } from './guest-agent-pool.ts';
import { PACE_BYTES, type GuestPatience } from './patience.ts';

export type GuestCall = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the API prefix, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Readable | string | null;
  readonly signal?: AbortSignal | undefined;
  readonly patience: GuestPatience;
  /** Of silence in either direction. */
  readonly quietMs: number;
};

/** More interim answers (100, 103) than any server has a reason for. */
const MAX_INTERIM = 16;

/** Sends one request and resolves with the answer's head; a refusal is thrown as the error the guest named. */
export function send(pool: GuestAgentPool, token: string, call: GuestCall): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { patience, signal } = call;
    const path = call.path.split('?')[0] ?? '';
    const outgoing: ClientRequest = request({
      agent: pool, method: call.method, path: `${GUEST_API_PREFIX}/${call.path}`, signal, timeout: call.quietMs, maxHeaderSize: GUEST_LIMITS.headerBytes,
      headers: { host: 'guest', authorization: `Bearer ${token}`, ...call.headers },
    });
    let answered = false;
    let interim = 0;
    outgoing.on('information', () => { interim += 1; if (interim > MAX_INTERIM) outgoing.destroy(odd('sent interim answers without end')); });
    outgoing.on('upgrade', (_response, stream) => { stream.destroy(); reject(odd('changed the protocol without being asked')); });
    // Whatever else an answer does to the connection: without it there is nothing to wait for.
    outgoing.on('close', () => { if (!answered) reject(guestError(outgoing.errored ?? new Error('the connection was cut'), signal)); });
    outgoing.on('timeout', () => outgoing.destroy(late(path, call.quietMs)));
    // Once the head is here its body says how it ended.
    outgoing.on('error', (error) => { if (!answered) reject(guestError(error, signal)); });
    outgoing.on('response', (response) => {
      answered = true;
      const status = response.statusCode ?? 0;
      if (status < 200 || status >= 300) {
        readAll(response, patience.refusalMs).then((body) => reject(refusal(status, body)), (error: unknown) => reject(guestError(error, signal))).finally(() => { if (!outgoing.writableFinished) outgoing.destroy(); });
        return;
      }
      if (outgoing.writableFinished) { resolve(response); return; }
      // Our own end may only be on its way; an agent that has not read everything cannot have unpacked it.
      const tooEarly = setTimeout(() => { outgoing.destroy(); reject(odd('answered before it had read what was sent')); }, patience.refusalMs);
      outgoing.once('finish', () => { clearTimeout(tooEarly); resolve(response); });
      outgoing.once('close', () => { clearTimeout(tooEarly); reject(guestError(outgoing.errored ?? new Error('the connection was cut'), signal)); });
    });
    if (call.body === undefined || call.body === null) { outgoing.end(); return; }
    if (typeof call.body === 'string') { outgoing.end(call.body); return; }
    const body = call.body;
    const stopWatching = watchPace(() => outgoing.destroy(late(path, patience.paceMs)), patience.paceMs, body, () => outgoing.writableNeedDrain);
    let answer: NodeJS.Timeout | null = null;
    outgoing.once('finish', () => { stopWatching(); answer = setTimeout(() => outgoing.destroy(late(path, patience.answerMs)), patience.answerMs); });
    body.on('error', (error) => { outgoing.destroy(error); reject(VesselError.from(error)); });
    outgoing.on('close', () => { stopWatching(); if (answer !== null) clearTimeout(answer); body.destroy(); });
    body.pipe(outgoing);
  });
}

/**
 * Calls `onSlow` when less than {@link PACE_BYTES} passed through `source` in a span in which `isWaiting` was true at its beginning
 * and end. Returns what ends the watch.
 */
export function watchPace(onSlow: () => void, spanMs: number, source: Readable, isWaiting: () => boolean): () => void {
  let moved = 0;
  let waited = isWaiting();
  source.on('data', (chunk: Buffer) => { moved += chunk.length; });
  const timer = setInterval(() => {
    const waits = isWaiting();
    if (waited && waits && moved < PACE_BYTES) onSlow();
    waited = waits;
    moved = 0;
  }, spanMs).unref();
  return () => clearInterval(timer);
}

/** Sends and parses a JSON answer. A question whose connection breaks before any answer is asked once more. */
export async function sendForJson<S extends z.ZodType>(pool: GuestAgentPool, token: string, call: GuestCall, schema: S): Promise<z.output<S>> {
  const isQuestion = call.method === 'GET';
  const deadline = new AbortController();
  const path = call.path.split('?')[0] ?? '';
  const signal = AbortSignal.any([deadline.signal, ...(call.signal === undefined ? [] : [call.signal])]);
  // An upload takes as long as it takes; `send` looks after it. Everything else is short, and has its time as a whole.
  const isUpload = typeof call.body === 'object' && call.body !== null;
  const timer = isUpload ? null : setTimeout(() => deadline.abort(late(path, call.quietMs)), call.quietMs);
  let answered = false;
  const ask = async (): Promise<Buffer> => {
    try {
      const response = await send(pool, token, { ...call, signal });
      answered = true;
      return await readAll(response, isUpload ? call.patience.answerMs : call.quietMs);
    } catch (error) {
      throw guestError(error, signal);
    }
  };
  try {
    const body = await ask().catch((error: unknown) => {
      // An idle connection may end at the very moment it is used again, and the forwarder of a guest that was just restored
      // resets early ones. Questions change nothing, so a second try on a new connection is safe.
      if (isQuestion && !answered && !signal.aborted && VesselError.from(error).code === 'GUEST_UNREACHABLE') return ask();
      throw error;
    });
    const parsed = schema.safeParse(parseGuestJson(body));
    if (!parsed.success) throw new VesselError('GUEST_UNREACHABLE', `The guest agent answered ${path} in an unknown shape`, { cause: parsed.error });
    return parsed.data;
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

/** Transport failures in Vessel's words. */
export function guestError(error: unknown, signal?: AbortSignal): VesselError {
  if (signal?.aborted === true) return signal.reason instanceof VesselError ? signal.reason : new VesselError('CANCELLED');
  const known = VesselError.from(error);
  if (known.code !== 'INTERNAL') return known;
  return new VesselError('GUEST_UNREACHABLE', `The guest agent does not answer: ${known.message}`, { cause: error });
}

/** An agent that does what no agent of ours does. */
export const odd = (what: string): VesselError => new VesselError('GUEST_UNREACHABLE', `The guest agent ${what}`);
export const late = (path: string, ms: number): VesselError => new VesselError('GUEST_TIMEOUT', `The guest did not answer in ${Math.round(ms / 1000)} s`, { details: { path } });

function refusal(status: number, body: Buffer): VesselError {
  if (status === 401) return new VesselError('GUEST_UNAUTHORIZED');
  const parsed = z.object({ error: z.unknown() }).safeParse(parseGuestJson(body));
  return guestFailure(parsed.data?.error) ?? new VesselError('GUEST_UNREACHABLE', `The guest agent answered with status ${status}`, { details: { status } });
}

/** A body that is small and comes soon. */
async function readAll(response: IncomingMessage, withinMs: number): Promise<Buffer> {
  const timer = setTimeout(() => response.destroy(late('answer', withinMs)), withinMs);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > GUEST_LIMITS.answerBytes) { response.destroy(); throw odd('sent an endless answer'); }
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}
