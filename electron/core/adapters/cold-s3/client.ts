import { createHash } from 'node:crypto';
import { AwsClient } from 'aws4fetch';
import { VesselError } from '#shared/errors.ts';
import { linkError } from '../cold-supabase/failures.ts';
import { sendBody } from '../remote/send-body.ts';

export type S3Access = { readonly endpoint: string; readonly region: string; readonly bucket: string; readonly prefix: string; readonly accessKeyId: string; readonly secretAccessKey: string };
export type S3Request = { readonly method: string; readonly key: string; readonly query?: Readonly<Record<string, string>>; readonly body?: Uint8Array; readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal | undefined; readonly accept?: readonly number[] };

/** Small questions; the server may take its time to put the parts of an archive together. */
const TIMEOUT_MS = 120_000;
/** What is larger is a piece of an archive. */
const SMALL_BODY_BYTES = 64 * 1024;

/** A bucket, addressed by path (every S3-compatible server knows that), each request signed. */
export class S3Client {
  readonly #access: S3Access;
  readonly #aws: AwsClient;
  /** The server's clock minus ours, learnt when it refuses ours. */
  #skewMs = 0;

  constructor(access: S3Access) {
    this.#access = access;
    this.#aws = new AwsClient({ accessKeyId: access.accessKeyId, secretAccessKey: access.secretAccessKey, region: access.region, service: 's3', retries: 0 });
  }

  get prefix(): string { return this.#access.prefix; }

  /** One request; a status of `accept` besides 2xx is an answer, any other is thrown. Keys are below the prefix. */
  async ask(request: S3Request, subject: string): Promise<Response> {
    for (let corrected = false; ; corrected = true) {
      const response = await this.#send(request);
      if (response.ok || request.accept?.includes(response.status) === true) return response;
      const { code, message } = errorOf(await response.text().catch(() => '')); // HEAD and broken links give no words
      const date = Date.parse(response.headers.get('date') ?? '');
      if (code !== 'RequestTimeTooSkewed' || corrected || Number.isNaN(date)) throw meaning(response, code, message, subject);
      this.#skewMs = date - Date.now();
    }
  }

  async #send({ method, key, query, body, headers, signal }: S3Request): Promise<Response> {
    const { endpoint, bucket, prefix } = this.#access;
    const url = new URL(`${endpoint.replace(/(?<!\/)\/+$/, '')}/${bucket}${key === '' ? '' : `/${prefix}${key}`}`);
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
    // aws4fetch signs the length of nothing as well: the hash of the body makes a changed piece a refusal.
    const sent = { ...headers, 'x-amz-content-sha256': createHash('sha256').update(body ?? '').digest('hex') };
    try {
      const signed = await this.#aws.sign(url, {
        method, headers: sent, ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
        aws: { datetime: new Date(Date.now() + this.#skewMs).toISOString().replace(/[:-]|\.\d{3}/g, '') },
      });
      // A piece of an archive takes as long as it moves, and not longer.
      if (body !== undefined && body.byteLength > SMALL_BODY_BYTES) return await sendBody(signed.url, { method, headers: Object.fromEntries(signed.headers), body, signal });
      // A stream may take as long as it takes; everything else is an answer within the time.
      const limit = method === 'GET' && query === undefined ? undefined : AbortSignal.timeout(TIMEOUT_MS);
      const signals = [signal, limit].filter((one) => one !== undefined);
      return await fetch(signed, signals.length === 0 ? {} : { signal: AbortSignal.any(signals) });
    } catch (error) {
      throw linkError(error, signal);
    }
  }
}

/** Texts of all elements of a name, in order. S3's answers are flat enough for that, and hold nothing that must be parsed further. */
export function elements(xml: string, name: string): readonly string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^]*?)</${name}>`, 'g'))].map(([, text]) => decode(text ?? ''));
}

const ENTITIES: Readonly<Record<string, string>> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '&#34;': '"', '&amp;': '&' };
const decode = (text: string): string => text.replaceAll(/&(?:lt|gt|quot|apos|#34|amp);/g, (entity) => ENTITIES[entity] ?? entity);
const errorOf = (xml: string): { readonly code: string; readonly message: string } => ({ code: elements(xml, 'Code')[0] ?? '', message: elements(xml, 'Message')[0] ?? '' });

function meaning({ status, headers }: Response, code: string, message: string, subject: string): VesselError {
  const text = `${subject}: ${message || code || `HTTP ${status}`}`;
  const details = { status, ...(code === '' ? {} : { code }) };
  const retryAfter = headers.get('retry-after');
  if (status === 402 || status === 507 || /quota/i.test(code)) return new VesselError('CLOUD_OVER_QUOTA', undefined, { details });
  if (status === 413 || code === 'EntityTooLarge') return new VesselError('CLOUD_FILE_TOO_LARGE', undefined, { details });
  if (status === 429 || code === 'SlowDown') return new VesselError('CLOUD_RATE_LIMITED', undefined, { details: { ...details, ...(retryAfter === null ? {} : { retryAfterSeconds: Number(retryAfter) }) } });
  // What arrived is not what was sent: the next attempt may do better.
  if (code === 'XAmzContentSHA256Mismatch' || code === 'BadDigest' || code === 'RequestTimeout') return new VesselError('CLOUD_FAILED', text, { details });
  if (status >= 500 && status !== 501) return new VesselError('CLOUD_FAILED', text, { details });
  if (status === 404) return new VesselError('NOT_FOUND', text, { details });
  if (status === 412 || status === 409) return new VesselError('CONFLICT', text, { details });
  if (status === 416) return new VesselError('ARCHIVE_CORRUPT', 'The object is shorter than what was read of it', { details });
  return new VesselError('CLOUD_REFUSED', text, { details });
}
