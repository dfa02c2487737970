import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { VesselError } from '#shared/errors.ts';

/** Downloads a release file and checks it. Throws PROVISION_FAILED naming the address when it cannot be had or differs from its pin. */
export async function fetchVerified(file: { readonly url: string; readonly sha256: string }, path: string, signal: AbortSignal | undefined): Promise<void> {
  const fail = (why: string, cause?: unknown): VesselError => new VesselError('PROVISION_FAILED', `${file.url}: ${why}`, {
    cause, hint: 'This release is only published there: allow the address, or choose the code-server adapter, which needs the npm registry alone.',
  });
  if (!/^[0-9a-f]{64}$/.test(file.sha256)) throw fail('is not pinned: the recipe has no SHA-256 for it');
  let response: Response;
  try {
    response = await fetch(file.url, { signal: signal ?? null });
  } catch (error) {
    signal?.throwIfAborted();
    throw fail('cannot be reached from this host', error);
  }
  if (!response.ok || response.body === null) throw fail(`answered ${response.status}`);
  const hash = createHash('sha256');
  const body = Readable.fromWeb(response.body as import('node:stream/web').ReadableStream<Uint8Array>);
  body.on('data', (chunk: Uint8Array) => hash.update(chunk));
  await pipeline(body, createWriteStream(path));
  const actual = hash.digest('hex');
  if (actual !== file.sha256) await rm(path);
  if (actual !== file.sha256) throw fail(`has SHA-256 ${actual}, pinned is ${file.sha256}`);
}
