import type { IncomingMessage } from 'node:http';
import { VesselError } from '#shared/vessel-error.ts';

/** Far above any identity or save request; a body beyond it is a mistake. */
const MAX_JSON_BYTES = 1024 * 1024;

/** The request's body as parsed JSON (`{}` when empty). Throws BAD_REQUEST when it is no object or too long. */
export async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_JSON_BYTES) throw new VesselError('BAD_REQUEST', 'the request body is too long');
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new VesselError('BAD_REQUEST', 'the request body is not JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new VesselError('BAD_REQUEST', 'the request body must be an object');
  return value as Readonly<Record<string, unknown>>;
}
