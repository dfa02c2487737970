import { open, readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { StoredArchive } from '../../ports/cold-store.ts';
import type { RemoteArchives, TransferOptions, UploadJournal } from '../../ports/remote-store.ts';
import { DEFAULT_RETRIES, downloadTo, hashRemote, pause, resumedRead, totalOf, type OpenRange, type RetryPolicy } from '../remote/resumed-read.ts';
import { ageBy, type LyingObject } from '../remote/leftovers.ts';
import { spooledPut } from '../remote/spooled-put.ts';
import { elements, type S3Client } from './client.ts';

/** S3 wants 5 MiB at least for each part but the last, and at most 10,000 parts: with this, 78 GiB. */
export const PART_BYTES = 8 * 1024 * 1024;

type File = { readonly path: string; readonly sha256: string; readonly bytes: number };
export type S3ArchivesOptions = { readonly client: S3Client; readonly journal: UploadJournal; readonly spool: string; readonly retries?: RetryPolicy };

/** Archives in an S3 bucket: `<prefix>projects/<id>/<sha256>.zip`, written only where nothing stands (`If-None-Match: *`). */
export function makeS3Archives({ client, journal, spool, retries = DEFAULT_RETRIES }: S3ArchivesOptions): RemoteArchives {
  const folderOf = (projectId: string): string => `projects/${projectId}/`;
  const keyOf = (projectId: string, sha256: string): string => {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new VesselError('BAD_REQUEST', 'Not a SHA-256');
    return `${folderOf(projectId)}${sha256}.zip`;
  };
  const ranges = (key: string): OpenRange => async (from, signal) => {
    const response = await client.ask({ method: 'GET', key, signal, ...(from === 0 ? {} : { headers: { range: `bytes=${from}-` } }) }, 'The archive');
    if (response.body === null) throw new VesselError('CLOUD_FAILED', 'The object has no body');
    if (from > 0 && response.status !== 206) throw new VesselError('CLOUD_FAILED', 'The server does not give parts of an object', { retryable: false });
    return { body: response.body, totalBytes: totalOf(response.headers, from) };
  };
  const read = (key: string, from: number, signal?: AbortSignal): AsyncGenerator<Buffer, void> => resumedRead(ranges(key), from, retries, signal);
  const remove = async (key: string): Promise<void> => { await (await client.ask({ method: 'DELETE', key, accept: [404] }, 'The archive')).body?.cancel(); };
  /** A piece again and again while the link is down. */
  const persistently = async (work: () => Promise<Response>, signal: AbortSignal | undefined): Promise<Response> => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        const known = VesselError.from(error);
        const delay = retries.delaysMs[attempt];
        if (delay === undefined || (known.code !== 'CLOUD_OFFLINE' && known.code !== 'CLOUD_FAILED')) throw known;
        await pause(delay, signal);
      }
    }
  };
  const send = async (key: string, file: File, options: TransferOptions): Promise<void> => {
    if (file.bytes > PART_BYTES) { await sendParts(client, journal, key, file, options, persistently); return; }
    const body = await readFile(file.path);
    await (await persistently(() => client.ask({ method: 'PUT', key, body, headers: { 'content-type': 'application/zip', 'if-none-match': '*' }, signal: options.signal }, 'The upload'), options.signal)).body?.cancel();
    options.onProgress?.(file.bytes);
  };

  const store: RemoteArchives = {
    async upload(projectId, file, options) {
      const key = keyOf(projectId, file.sha256);
      try {
        await send(key, file, options);
      } catch (error) {
        if (VesselError.from(error).code !== 'CONFLICT') throw error;
        // Equal name means equal content, unless the medium lost it: then the fresh copy takes its place.
        const there = await hashRemote(read(key, 0, options.signal)).catch((failure: unknown) => { if (VesselError.from(failure).code === 'NOT_FOUND') return null; throw failure; });
        if (there?.sha256 !== file.sha256) {
          await remove(key);
          await send(key, file, options).catch((failure: unknown) => { if (VesselError.from(failure).code !== 'CONFLICT') throw failure; });
        }
      }
      return { key, sha256: file.sha256, bytes: file.bytes };
    },
    put: (projectId, content, { signal }) => spooledPut(spool, content, signal, (file) => store.upload(projectId, file, signal === undefined ? {} : { signal })),
    async readBack(projectId, sha256, options) {
      try {
        return await hashRemote(read(keyOf(projectId, sha256), 0, options?.signal));
      } catch (error) {
        const known = VesselError.from(error);
        if (known.code !== 'NOT_FOUND') throw known;
        throw new VesselError('ARCHIVE_CORRUPT', 'The archive is not in the bucket', { cause: error, details: { projectId, sha256 } });
      }
    },
    async open(projectId, sha256) {
      const key = keyOf(projectId, sha256);
      await client.ask({ method: 'HEAD', key }, 'The archive'); // says NOT_FOUND now rather than in the stream
      const abort = new AbortController();
      const stream = Readable.from(read(key, 0, abort.signal), { objectMode: false, highWaterMark: 256 * 1024 });
      stream.once('close', () => abort.abort());
      return stream;
    },
    download: async (projectId, sha256, path, options) => { const key = keyOf(projectId, sha256); return { key, ...(await downloadTo(path, sha256, (from) => read(key, from, options.signal), options)) }; },
    localPath: () => null,
    remove: (projectId, sha256) => remove(keyOf(projectId, sha256)),
    async list(projectId) {
      const found: StoredArchive[] = [];
      for await (const { key, bytes } of listKeys(client, folderOf(projectId))) {
        const sha256 = /\/([0-9a-f]{64})\.zip$/.exec(key)?.[1];
        if (sha256 !== undefined) found.push({ key, sha256, bytes });
      }
      return found;
    },
    async removeProject(projectId) { for (const { key } of await store.list(projectId)) await remove(key); },
  };
  return store;
}

/** Every archive of every project. */
export async function* listArchives(client: S3Client): AsyncGenerator<LyingObject, void> {
  for await (const { key, bytes, ageMs } of listKeys(client, 'projects/')) {
    const [, projectId, sha256] = /^projects\/([^/]+)\/([0-9a-f]{64})\.zip$/.exec(key) ?? [];
    if (projectId !== undefined && sha256 !== undefined) yield { projectId, sha256, key, bytes, ageMs };
  }
}

/** Every object below a prefix, with its size and tag. */
export async function* listKeys(client: S3Client, below: string): AsyncGenerator<{ readonly key: string; readonly bytes: number; readonly etag: string; /** Milliseconds since it was written, by the clock of the server. */ readonly ageMs: number }, void> {
  for (let token: string | null = null, first = true; first || token !== null; first = false) {
    const query: Readonly<Record<string, string>> = { 'list-type': '2', prefix: `${client.prefix}${below}`, ...(token === null ? {} : { 'continuation-token': token }) };
    const answer: Response = await client.ask({ method: 'GET', key: '', query }, 'The bucket');
    const xml: string = await answer.text();
    for (const item of xml.split('<Contents>').slice(1)) {
      yield { key: (elements(item, 'Key')[0] ?? '').slice(client.prefix.length), bytes: Number(elements(item, 'Size')[0]), etag: elements(item, 'ETag')[0] ?? '', ageMs: ageBy(answer, elements(item, 'LastModified')[0]) };
    }
    token = elements(xml, 'IsTruncated')[0] === 'true' ? elements(xml, 'NextContinuationToken')[0] ?? null : null;
  }
}

/** Sends a file in parts. The upload's id is kept in the journal, so that another process asks which parts arrived and sends the rest. */
async function sendParts(client: S3Client, journal: UploadJournal, key: string, file: File, { signal, onProgress }: TransferOptions, persistently: (work: () => Promise<Response>, signal: AbortSignal | undefined) => Promise<Response>): Promise<void> {
  const name = `s3:${key}`;
  const known = journal.get(name);
  let tags = known === null ? null : await arrivedParts(client, key, known);
  let uploadId = tags === null ? null : known;
  if (uploadId === null || tags === null) {
    const xml = await (await persistently(() => client.ask({ method: 'POST', key, query: { uploads: '' }, headers: { 'content-type': 'application/zip' }, signal }, 'The upload'), signal)).text();
    uploadId = elements(xml, 'UploadId')[0] ?? '';
    tags = new Map();
    journal.put(name, uploadId);
  }
  const handle = await open(file.path, 'r');
  try {
    const count = Math.ceil(file.bytes / PART_BYTES);
    const buffer = Buffer.allocUnsafe(PART_BYTES);
    for (let number = 1; number <= count; number += 1) {
      if (signal?.aborted === true) throw new VesselError('CANCELLED');
      const length = Math.min(PART_BYTES, file.bytes - (number - 1) * PART_BYTES);
      if (!tags.has(number)) {
        const { bytesRead } = await handle.read(buffer, 0, length, (number - 1) * PART_BYTES);
        if (bytesRead !== length) throw new VesselError('ARCHIVE_CORRUPT', 'The archive became shorter while it was sent');
        const query = { partNumber: String(number), uploadId };
        const response = await persistently(() => client.ask({ method: 'PUT', key, query, body: buffer.subarray(0, length), signal }, 'The upload'), signal);
        tags.set(number, response.headers.get('etag') ?? '');
        await response.body?.cancel();
      }
      onProgress?.(Math.min(file.bytes, number * PART_BYTES));
    }
    const parts = [...tags].sort(([a], [b]) => a - b).map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag.replaceAll('"', '&quot;')}</ETag></Part>`).join('');
    const body = Buffer.from(`<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`);
    const id = uploadId;
    try {
      await (await persistently(() => client.ask({ method: 'POST', key, query: { uploadId: id }, body, headers: { 'if-none-match': '*' }, signal }, 'The upload'), signal)).body?.cancel();
    } catch (error) {
      // Complete already, and the answer was lost: the object stands, which the caller reads back.
      if (VesselError.from(error).code !== 'NOT_FOUND') throw error;
      throw new VesselError('CONFLICT', 'The upload is no longer open', { cause: error });
    }
    journal.remove(name);
  } catch (error) {
    if (VesselError.from(error).code === 'CONFLICT') journal.remove(name);
    throw error;
  } finally {
    await handle.close();
  }
}

/** Tags of the parts that arrived; null when the server no longer knows the upload. */
async function arrivedParts(client: S3Client, key: string, uploadId: string): Promise<Map<number, string> | null> {
  const response = await client.ask({ method: 'GET', key, query: { uploadId, 'max-parts': '10000' }, accept: [404] }, 'The upload');
  const xml = await response.text();
  if (!response.ok) return null;
  return new Map(xml.split('<Part>').slice(1).map((item) => [Number(elements(item, 'PartNumber')[0]), elements(item, 'ETag')[0] ?? '']));
}
