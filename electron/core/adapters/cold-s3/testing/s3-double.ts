import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Faults } from '../../cold-supabase/testing/faults.ts';

/** A server that speaks S3: it checks every signature and hash, honours conditions, ranges and multipart uploads. Objects lie in memory. */
export type S3Double = {
  readonly endpoint: string; readonly region: string; readonly bucket: string; readonly accessKeyId: string; readonly secretAccessKey: string;
  readonly faults: Faults;
  readonly objects: Map<string, Buffer>;
  /** When an object was written, by the server's clock; tests may make it older. */
  readonly writtenAt: Map<string, number>;
  /** Off: conditions are ignored, as old servers do. */
  readonly features: { conditional: boolean };
  /** Milliseconds that the server's clock is ahead of ours. */
  readonly skew: { ms: number };
  stop(): Promise<void>;
};

const REGION = 'eu-test-1';
const BUCKET = 'archives';
const KEY = 'AKIDOUBLE';
const SECRET = 'the-secret-of-a-double-that-nobody-else-uses';
/** S3 refuses requests that are further off. */
const MAX_SKEW_MS = 15 * 60_000;
const MIN_PART_BYTES = 5 * 1024 * 1024;
const PAGE = 1000;

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string) { super(code); this.status = status; this.code = code; }
}
const sha = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const tagOf = (data: Buffer): string => `"${createHash('md5').update(data).digest('hex')}"`;
const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

export async function startS3Double(): Promise<S3Double> {
  const objects = new Map<string, Buffer>();
  const writtenAt = new Map<string, number>();
  const uploads = new Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>();
  const faults = new Faults();
  const features = { conditional: true };
  const skew = { ms: 0 };
  const now = (): number => Date.now() + skew.ms;

  const meetConditions = (request: IncomingMessage, key: string): void => {
    if (!features.conditional) return;
    const there = objects.get(key);
    const { 'if-none-match': none, 'if-match': match } = request.headers;
    if (none === '*' && there !== undefined) throw new Refusal(412, 'PreconditionFailed');
    if (match !== undefined && there === undefined) throw new Refusal(404, 'NoSuchKey');
    if (match !== undefined && there !== undefined && match !== tagOf(there)) throw new Refusal(412, 'PreconditionFailed');
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? '/', 'http://s3');
    checkSignature(request, url, body, now());
    const [, bucket, ...rest] = decodeURIComponent(url.pathname).split('/');
    if (bucket !== BUCKET) throw new Refusal(404, 'NoSuchBucket');
    const key = rest.join('/');
    const query = url.searchParams;
    const method = request.method ?? 'GET';
    const send = (status: number, headers: Record<string, string | number>, content: Buffer | string = ''): void => {
      response.writeHead(status, { 'content-length': Buffer.byteLength(content), date: new Date(now()).toUTCString(), ...headers });
      if (method === 'HEAD') response.end();
      // In pieces, so that a link can break in the middle.
      else { const all = Buffer.from(content); for (let at = 0; at < all.length && !response.destroyed; at += 65_536) response.write(all.subarray(at, at + 65_536)); response.end(); }
    };

    if (key === '' && method === 'GET') {
      const prefix = query.get('prefix') ?? '';
      const names = [...objects.keys()].filter((name) => name.startsWith(prefix) && name > (query.get('continuation-token') ?? '')).sort();
      const page = names.slice(0, PAGE);
      const items = page.map((name) => { const data = objects.get(name) ?? Buffer.alloc(0); return `<Contents><Key>${escape(name)}</Key><ETag>${escape(tagOf(data))}</ETag><LastModified>${new Date(writtenAt.get(name) ?? now()).toISOString()}</LastModified><Size>${data.length}</Size></Contents>`; });
      const more = names.length > page.length;
      send(200, { 'content-type': 'application/xml' }, `<ListBucketResult><IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${escape(page.at(-1) ?? '')}</NextContinuationToken>` : ''}${items.join('')}</ListBucketResult>`);
    } else if (method === 'POST' && query.has('uploads')) {
      const id = crypto.randomUUID();
      uploads.set(id, { key, parts: new Map() });
      send(200, {}, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    } else if (query.has('uploadId')) {
      const upload = uploads.get(query.get('uploadId') ?? '');
      if (upload === undefined || upload.key !== key) throw new Refusal(404, 'NoSuchUpload');
      if (method === 'PUT') {
        upload.parts.set(Number(query.get('partNumber')), body);
        send(200, { etag: tagOf(body) });
      } else if (method === 'GET') {
        send(200, {}, `<ListPartsResult>${[...upload.parts].map(([number, data]) => `<Part><PartNumber>${number}</PartNumber><ETag>${escape(tagOf(data))}</ETag><Size>${data.length}</Size></Part>`).join('')}</ListPartsResult>`);
      } else {
        meetConditions(request, key);
        const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)<\/ETag>/g)].map(([, number, tag]) => ({ number: Number(number), tag: (tag ?? '').replaceAll('&quot;', '"') }));
        const parts = named.map(({ number, tag }, index) => {
          const data = upload.parts.get(number);
          if (data === undefined || tagOf(data) !== tag) throw new Refusal(400, 'InvalidPart');
          if (index < named.length - 1 && data.length < MIN_PART_BYTES) throw new Refusal(400, 'EntityTooSmall');
          return data;
        });
        uploads.delete(query.get('uploadId') ?? '');
        objects.set(key, Buffer.concat(parts));
        writtenAt.set(key, now());
        send(200, {}, '<CompleteMultipartUploadResult/>');
      }
    } else if (method === 'PUT') {
      meetConditions(request, key);
      objects.set(key, body);
      writtenAt.set(key, now());
      send(200, { etag: tagOf(body) });
    } else if (method === 'DELETE') {
      objects.delete(key);
      send(204, {});
    } else {
      const data = objects.get(key);
      if (data === undefined) throw new Refusal(404, 'NoSuchKey');
      const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
      const from = Number(range?.[1] ?? 0);
      if (range !== null && from >= data.length) throw new Refusal(416, 'InvalidRange');
      const part = data.subarray(from, range?.[2] === undefined || range[2] === '' ? undefined : Number(range[2]) + 1);
      send(range === null ? 200 : 206, { etag: tagOf(data), ...(range === null ? {} : { 'content-range': `bytes ${from}-${from + part.length - 1}/${data.length}` }) }, part);
    }
  };
  const server = createServer((request, response) => {
    if (faults.meet(request, response)) return;
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) { response.destroy(); return; }
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'InternalError');
      response.writeHead(refusal.status, { 'content-type': 'application/xml', date: new Date(now()).toUTCString() });
      response.end(`<Error><Code>${refusal.code}</Code><Message>${refusal.code}</Message></Error>`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, region: REGION, bucket: BUCKET, accessKeyId: KEY, secretAccessKey: SECRET, faults, objects, writtenAt, features, skew,
    async stop() { server.closeAllConnections(); await new Promise((resolve) => server.close(resolve)); },
  };
}

/** Signature Version 4 as the server computes it: of the request that arrived, and of the body that arrived. */
function checkSignature(request: IncomingMessage, url: URL, body: Buffer, now: number): void {
  const { authorization = '', 'x-amz-date': date, 'x-amz-content-sha256': bodyHash } = request.headers as Record<string, string | undefined>;
  const parsed = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(authorization);
  if (parsed === null || date === undefined || bodyHash === undefined) throw new Refusal(403, 'AccessDenied');
  const [, keyId = '', day = '', region = '', signedHeaders = '', signature = ''] = parsed;
  if (keyId !== KEY) throw new Refusal(403, 'InvalidAccessKeyId');
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (Number.isNaN(at) || Math.abs(at - now) > MAX_SKEW_MS) throw new Refusal(403, 'RequestTimeTooSkewed');
  if (bodyHash !== sha(body)) throw new Refusal(400, 'XAmzContentSHA256Mismatch');
  const names = signedHeaders.split(';');
  for (const must of ['host', 'x-amz-date', 'x-amz-content-sha256']) if (!names.includes(must)) throw new Refusal(403, 'AccessDenied');
  const encode = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort().join('&');
  const headers = names.map((name) => `${name}:${String(request.headers[name] ?? '').trim().replace(/\s+/g, ' ')}\n`).join('');
  const canonical = [request.method, url.pathname.split('/').map((part) => encode(decodeURIComponent(part))).join('/'), query, headers, signedHeaders, bodyHash].join('\n');
  const key = hmac(hmac(hmac(hmac(`AWS4${SECRET}`, day), region), 's3'), 'aws4_request');
  const right = hmac(key, ['AWS4-HMAC-SHA256', date, `${day}/${region}/s3/aws4_request`, sha(canonical)].join('\n'));
  if (region !== REGION || !timingSafeEqual(right, Buffer.from(signature, 'hex'))) throw new Refusal(403, 'SignatureDoesNotMatch');
}
