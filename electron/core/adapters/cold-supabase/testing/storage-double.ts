import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';
import type { Upload } from '@tus/server';
import type pg from 'pg';
import { asUser } from './cluster.ts';
import { makeToken, readToken } from './token.ts';

export type StorageOptions = {
  readonly pool: pg.Pool; readonly folder: string; readonly secret: string;
  /** The server's clock in Unix milliseconds. */
  readonly now: () => number;
  readonly limits: { maxFileBytes: number | null };
  /** Tokens that are over, whatever they say. */
  readonly revoked: ReadonlySet<string>;
};
type ObjectRow = { readonly name: string; readonly version: string; readonly created_at?: Date; readonly metadata: { readonly size: number } };
const ROOT = '/storage/v1';
const MAX_LIST = 1000;
/** Newer servers refuse to remove more at once. */
const MAX_REMOVED = 1000;

/** How the Storage API names a failure: nearly always with HTTP 400 and the true status in the body. */
class StorageFailure extends Error {
  readonly status: number;
  readonly body: { readonly statusCode: string; readonly error: string; readonly message: string };
  constructor(statusCode: number, error: string, message: string, status = 400) { super(message); this.status = status; this.body = { statusCode: String(statusCode), error, message }; }
}
const noBucket = (): StorageFailure => new StorageFailure(404, 'Bucket not found', 'Bucket not found');
const noObject = (): StorageFailure => new StorageFailure(404, 'not_found', 'Object not found');
const forbidden = (): StorageFailure => new StorageFailure(403, 'Unauthorized', 'new row violates row-level security policy');
const duplicate = (): StorageFailure => new StorageFailure(409, 'Duplicate', 'The resource already exists');
const tooLarge = (): StorageFailure => new StorageFailure(413, 'Payload too large', 'The object exceeded the maximum allowed size');
const badToken = (): StorageFailure => new StorageFailure(403, 'Unauthorized', '"exp" claim timestamp check failed');

/**
 * The Storage API as far as Vessel speaks it, written from its wire contract: objects, listing, signed addresses with ranges, and
 * resumable uploads. The rows lie in PostgreSQL and every access runs as the signed-in user, so the policies decide. Where it was compared with
 * the real server (1.11): tokens are checked at every request and piece; refusals of uploads come before the body, which is then read no further on a
 * connection that stays open; uploads of one name that overlap all succeed, and the last one stays.
 */
export function makeStorageDouble({ pool, folder, secret, now, limits, revoked }: StorageOptions): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const fileOf = (bucket: string, name: string, version: string): string => join(folder, 'objects', bucket, ...name.split('/'), version);
  const userOf = (authorization: string | null | undefined): string | null => {
    const token = (authorization ?? '').replace(/^Bearer /i, '');
    return revoked.has(token) ? null : readToken(token, secret, now())?.sub ?? null;
  };

  const checkRoom = (bytes: number): void => {
    if (limits.maxFileBytes !== null && bytes > limits.maxFileBytes) throw tooLarge();
  };
  const record = async (user: string | null, bucket: string, name: string, version: string, bytes: number, how: 'dry-run' | 'new' | 'last-wins'): Promise<void> => {
    if (user === null) throw noBucket();
    try {
      // Allowed before its body came: what another upload has written meanwhile is replaced.
      if (how === 'last-wins') {
        await pool.query('insert into storage.objects (bucket_id, name, owner_id, version, metadata) values ($1, $2, $3, $4, $5) on conflict (bucket_id, name) do update set version = excluded.version, metadata = excluded.metadata', [bucket, name, user, version, { size: bytes, mimetype: 'application/zip' }]);
        return;
      }
      await asUser(pool, user, async (client) => {
        await client.query('insert into storage.objects (bucket_id, name, owner_id, version, metadata) values ($1, $2, $3, $4, $5)', [bucket, name, user, version, { size: bytes, mimetype: 'application/zip' }]);
        if (how === 'dry-run') throw new DryRun();
      });
    } catch (error) {
      if (error instanceof DryRun) return;
      const { code } = error as { readonly code?: string };
      if (code === '23505') throw duplicate();
      if (code === '42501') throw forbidden();
      if (code === '23503') throw noBucket();
      throw error;
    }
  };
  const find = async (user: string | null, bucket: string, name: string): Promise<ObjectRow> => {
    if (user === null) throw noBucket();
    const row = await asUser(pool, user, async (client) => (await client.query<ObjectRow>('select name, version, metadata from storage.objects where bucket_id = $1 and name = $2', [bucket, name])).rows[0]);
    if (row === undefined) throw noObject();
    return row;
  };

  const datastore = new FileStore({ directory: join(folder, 'tus') });
  const tus = new Server({
    path: `${ROOT}/upload/resumable`, datastore, respectForwardedHeaders: false,
    namingFunction: () => Buffer.from(crypto.randomUUID()).toString('base64url'),
    onUploadCreate: async (request, upload) => {
      const { bucket, name } = target(upload);
      try {
        checkRoom(upload.size ?? 0);
        await record(userOf(request.headers.get('authorization')), bucket, name, upload.id, upload.size ?? 0, 'dry-run');
        return {};
      } catch (error) { throw tusFailure(error); }
    },
    onIncomingRequest: async (request, id) => {
      if (request.method === 'OPTIONS' || request.method === 'HEAD' || request.method === 'POST') return;
      // Each piece is asked whether the object may still be made.
      const upload = await datastore.getUpload(id);
      const { bucket, name } = target(upload);
      try {
        await record(userOf(request.headers.get('authorization')), bucket, name, id, upload.size ?? 0, 'dry-run');
      } catch (error) { throw tusFailure(error); }
    },
    onUploadFinish: async (request, upload) => {
      const { bucket, name } = target(upload);
      try {
        const file = fileOf(bucket, name, upload.id);
        await mkdir(dirname(file), { recursive: true });
        await rename(join(folder, 'tus', upload.id), file);
        await rm(join(folder, 'tus', `${upload.id}.json`), { force: true });
        await record(userOf(request.headers.get('authorization')), bucket, name, upload.id, upload.size ?? 0, 'new').catch(async (error: unknown) => { await rm(file, { force: true }); throw error; });
        return {};
      } catch (error) { throw tusFailure(error); }
    },
  });

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://storage');
    const path = decodeURIComponent(url.pathname.slice(ROOT.length));
    const user = userOf(request.headers.authorization);
    const method = request.method ?? 'GET';
    const [, , verb, ...rest] = path.split('/');
    const signed = verb === 'sign' && method === 'GET';
    if (user === null && !signed && method !== 'OPTIONS') throw badToken();
    if (path.startsWith('/upload/resumable')) { await tus.handle(request, response); return; }
    const json = (value: unknown): void => { response.writeHead(200, { 'content-type': 'application/json' }); response.end(JSON.stringify(value)); };

    if (verb === 'sign' && method === 'POST') {
      const [bucket = '', ...name] = rest;
      await find(user, bucket, name.join('/'));
      const { expiresIn } = await readJson<{ expiresIn: number }>(request);
      json({ signedURL: `/object/sign/${rest.join('/')}?token=${makeToken({ url: rest.join('/'), exp: Math.floor(now() / 1000) + expiresIn }, secret)}` });
    } else if (verb === 'sign' && method === 'GET') {
      const claims = readToken<{ exp: number; url: string }>(url.searchParams.get('token'), secret, now());
      if (claims === null || claims.url !== rest.join('/')) throw new StorageFailure(400, 'InvalidJWT', '"exp" claim timestamp check failed');
      const [bucket = '', ...name] = rest;
      const { rows } = await pool.query<ObjectRow>('select name, version, metadata from storage.objects where bucket_id = $1 and name = $2', [bucket, name.join('/')]);
      const row = rows[0];
      if (row === undefined) throw noObject();
      await sendFile(request, response, fileOf(bucket, row.name, row.version), row.version);
    } else if (verb === 'info') {
      const [bucket = '', ...name] = rest[0] === 'authenticated' ? rest.slice(1) : rest;
      const row = await find(user, bucket, name.join('/'));
      json({ name: row.name, size: row.metadata.size, version: row.version });
    } else if (verb === 'list' && method === 'POST') {
      const { prefix, search, limit, offset } = await readJson<{ prefix: string; search?: string; limit?: number; offset?: number }>(request);
      if (user === null) throw noBucket();
      const folderName = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
      const { rows } = await asUser(pool, user, (client) => client.query<ObjectRow>(`select name, version, created_at, metadata from storage.objects where bucket_id = $1 and starts_with(name, $2) and position($5 in name) > 0 order by name limit $3 offset $4`, [rest[0], folderName, Math.min(limit ?? 100, MAX_LIST), offset ?? 0, search ?? '']));
      json(rows.map((row) => ({ name: row.name.slice(folderName.length), id: row.version, created_at: row.created_at?.toISOString(), metadata: row.metadata })));
    } else if (method === 'DELETE') {
      const { prefixes } = await readJson<{ prefixes: string[] }>(request);
      const bucket = path.split('/')[2] ?? '';
      if (prefixes.length > MAX_REMOVED) throw new StorageFailure(400, 'InvalidRequest', `At most ${MAX_REMOVED} objects can be removed at once`);
      if (user === null) throw noBucket();
      const { rows } = await asUser(pool, user, async (client) => {
        await client.query(`select set_config('storage.allow_delete_query', 'true', true)`);
        return client.query<ObjectRow>('delete from storage.objects where bucket_id = $1 and name = any($2) returning name, version, metadata', [bucket, prefixes]);
      });
      for (const row of rows) await rm(fileOf(bucket, row.name, row.version), { force: true });
      json(rows.map((row) => ({ name: row.name })));
    } else if (method === 'POST' || method === 'PUT') {
      const [, , bucket = '', ...name] = path.split('/');
      // PUT replaces: without a policy for UPDATE nobody may.
      if (method === 'PUT' || request.headers['x-upsert'] === 'true') throw forbidden();
      const version = crypto.randomUUID();
      const bytes = Number(request.headers['content-length'] ?? 0);
      checkRoom(bytes);
      await record(user, bucket, name.join('/'), version, bytes, 'dry-run');
      const file = fileOf(bucket, name.join('/'), version);
      await mkdir(dirname(file), { recursive: true });
      try {
        await pipeline(request, createWriteStream(file));
        await record(user, bucket, name.join('/'), version, (await stat(file)).size, 'last-wins');
      } catch (error) { await rm(file, { force: true }); throw error; }
      json({ Key: `${bucket}/${name.join('/')}`, Id: version });
    } else throw new StorageFailure(404, 'not_found', `no ${method} ${path}`);
  };

  return async (request, response) => {
    try {
      await answer(request, response);
    } catch (error) {
      if (response.headersSent || response.destroyed) { response.destroy(); return; }
      const failure = error instanceof StorageFailure ? error : new StorageFailure(500, 'Internal', String(error), 500);
      // A question was read before it is refused; an upload has begun to be read, and is not read on.
      if (isUpload(request)) request.read(0);
      else request.resume();
      response.writeHead(failure.status, { 'content-type': 'application/json' });
      response.end(request.method === 'HEAD' ? '' : JSON.stringify(failure.body));
    }
  };
}

class DryRun extends Error {}

const isUpload = ({ headers }: IncomingMessage): boolean => /zip|octet-stream/.test(headers['content-type'] ?? '');

function target(upload: Upload): { readonly bucket: string; readonly name: string } {
  return { bucket: upload.metadata?.['bucketName'] ?? '', name: upload.metadata?.['objectName'] ?? '' };
}

function tusFailure(error: unknown): unknown {
  if (!(error instanceof StorageFailure)) return error;
  // The resumable endpoint gives the true status, and the message as text; sizes are the TUS server's own matter.
  return { status_code: Number(error.body.statusCode), body: error.body.statusCode === '413' ? 'Maximum size exceeded\n' : error.message };
}

async function readJson<T>(request: IncomingMessage): Promise<T> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString() || '{}') as T;
}

/** A file or one range of it. */
async function sendFile(request: IncomingMessage, response: ServerResponse, file: string, version: string): Promise<void> {
  const { size } = await stat(file);
  const etag = `"${createHash('md5').update(`${version}${size}`).digest('hex')}"`;
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const from = range === null ? 0 : Number(range[1]);
  const to = range === null || range[2] === '' ? size - 1 : Math.min(size - 1, Number(range[2]));
  if (range !== null && from >= size) {
    response.writeHead(416, { 'content-range': `bytes */${size}` });
    response.end();
    return;
  }
  response.writeHead(range === null ? 200 : 206, {
    'content-type': 'application/zip', 'content-length': to - from + 1, 'accept-ranges': 'bytes', etag,
    ...(range === null ? {} : { 'content-range': `bytes ${from}-${to}/${size}` }),
  });
  if (size === 0) { response.end(); return; }
  // A client that goes away ends the stream; that is its right.
  await pipeline(createReadStream(file, { start: from, end: to }), response).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error; });
}
