import type { IncomingMessage } from 'node:http';
import { VesselError } from '#shared/errors.ts';
import type { Handlers } from '#shared/contract.ts';
import { answerCall } from '#shared/wire-server.ts';

/** Inputs are small; the largest is a list of paths for `exclude.preview`. */
const MAX_INPUT_BYTES = 8 * 1024 * 1024;

/** `POST /api/call/<name>`: the body is the input (JSON, may be empty), the answer is `{value}`. */
export async function answerApiCall(request: IncomingMessage, name: string, handlers: Handlers, signal: AbortSignal): Promise<{ readonly value: unknown }> {
  return { value: await answerCall(handlers, name, await readJson(request), { signal }) };
}

/** The body as JSON; `{}` when it is empty. Throws BAD_REQUEST. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'];
  // Plain forms and text/plain need no preflight: a JSON type keeps this call out of the reach of simple cross-site requests.
  if (type !== undefined && !/^application\/json\s*(?:;|$)/i.test(type)) throw new VesselError('BAD_REQUEST', 'Send JSON (content-type: application/json)');
  const text = await readText(request);
  try {
    return text.trim() === '' ? {} : JSON.parse(text) as unknown;
  } catch (error) {
    throw new VesselError('BAD_REQUEST', 'The body is not JSON', { cause: error });
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_INPUT_BYTES) throw new VesselError('BAD_REQUEST', `The body is longer than ${MAX_INPUT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
