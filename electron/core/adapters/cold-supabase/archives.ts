import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { StoredArchive } from '../../ports/cold-store.ts';
import type { RemoteArchives, UploadJournal } from '../../ports/remote-store.ts';
import { DEFAULT_RETRIES, RANGE_NOT_SATISFIABLE, downloadTo, hashRemote, resumedRead, totalOf, type OpenRange, type RetryPolicy } from '../remote/resumed-read.ts';
import { ageBy, type LyingObject } from '../remote/leftovers.ts';
import { spooledPut } from '../remote/spooled-put.ts';
import { linkError, meaning, readAnswer } from './failures.ts';
import { CHUNK_BYTES, uploadResumably, type UploadFile } from './resumable-upload.ts';
import { BUCKET, type StorageApi } from './storage-api.ts';

/** The largest page that the listing gives, and the most that the server removes at once. */
const PAGE = 1000;
/** Between attempts of one upload; after them the caller's backoff begins. */
const UPLOAD_DELAYS_MS = [200, 1_000, 3_000, 8_000];

export type SupabaseArchivesOptions = {
  readonly api: StorageApi;
  readonly journal: UploadJournal;
  /** A folder for archives whose hash is not known yet. */
  readonly spool: string;
  readonly uploadDelaysMs?: readonly number[];
  readonly downloadRetries?: RetryPolicy;
};

/** Every archive of whoever is signed in. */
export async function* listArchives(api: StorageApi, signal?: AbortSignal): AsyncGenerator<LyingObject, void> {
  const { userId } = api.session.requireUser();
  for (let offset = 0; ; offset += PAGE) {
    const response = await api.ask({ method: 'POST', path: `object/list/${BUCKET}`, json: { prefix: userId, limit: PAGE, offset, sortBy: { column: 'name', order: 'asc' } }, signal }, 'The archives');
    const page = await response.json() as readonly { readonly name: string; readonly created_at?: string; readonly metadata: { readonly size?: number } | null }[];
    for (const { name, created_at: createdAt, metadata } of page) {
      const [, projectId, sha256] = /^project-([^.]+)\.([0-9a-f]{64})\.zip$/.exec(name) ?? [];
      if (projectId !== undefined && sha256 !== undefined) yield { projectId, sha256, key: `${userId}/${name}`, bytes: metadata?.size ?? 0, ageMs: ageBy(response, createdAt) };
    }
    if (page.length < PAGE) return;
  }
}

/** Archives in the bucket `user-projects`: `<user id>/project-<id>.<sha256>.zip`, an object for each content, never overwritten. */
export function makeSupabaseArchives({ api, journal, spool, uploadDelaysMs = UPLOAD_DELAYS_MS, downloadRetries = DEFAULT_RETRIES }: SupabaseArchivesOptions): RemoteArchives {
  const prefixOf = (projectId: string): string => `project-${projectId}.`;
  const nameOf = (projectId: string, sha256: string): string => {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new VesselError('BAD_REQUEST', 'Not a SHA-256');
    return `${api.session.requireUser().userId}/${prefixOf(projectId)}${sha256}.zip`;
  };
  const ranges = (projectId: string, sha256: string): OpenRange => {
    let address: string | null = null;
    return async (from, signal) => {
      address ??= await api.sign(nameOf(projectId, sha256), signal);
      let response: Response;
      try {
        response = await fetch(address, { headers: from === 0 ? {} : { range: `bytes=${from}-` }, ...(signal === undefined ? {} : { signal }) });
      } catch (error) {
        throw linkError(error, signal);
      }
      if (!response.ok || response.body === null) {
        const refusal = await readAnswer(response);
        address = null; // it may have run out: the next attempt asks for another
        if (response.status === RANGE_NOT_SATISFIABLE) throw new VesselError('ARCHIVE_CORRUPT', 'The object is shorter than what was read of it', { details: { status: RANGE_NOT_SATISFIABLE } });
        if (refusal.code === 'InvalidJWT') throw new VesselError('CLOUD_FAILED', 'The signed address has run out');
        throw meaning(refusal, 'The archive');
      }
      // A server that ignores the range would give the beginning twice.
      if (from > 0 && response.status !== 206) throw new VesselError('CLOUD_FAILED', 'The server does not give parts of an object', { retryable: false });
      return { body: response.body, totalBytes: totalOf(response.headers, from) };
    };
  };
  const read = (projectId: string, sha256: string, from: number, signal?: AbortSignal): AsyncGenerator<Buffer, void> => resumedRead(ranges(projectId, sha256), from, downloadRetries, signal);
  const remove = async (names: readonly string[]): Promise<void> => {
    for (let first = 0; first < names.length; first += PAGE) await (await api.ask({ method: 'DELETE', path: `object/${BUCKET}`, json: { prefixes: names.slice(first, first + PAGE) } }, 'The archives')).body?.cancel();
  };
  const hashed = (projectId: string, sha256: string, signal?: AbortSignal): Promise<{ readonly sha256: string; readonly bytes: number }> => hashRemote(read(projectId, sha256, 0, signal));

  const send = async (name: string, file: UploadFile, options: Parameters<RemoteArchives['upload']>[2]): Promise<void> => {
    if (file.bytes > CHUNK_BYTES) { await uploadResumably(api, journal, name, file, options, uploadDelaysMs); return; }
    const body = await readFile(file.path);
    const response = await api.ask({ method: 'POST', path: `object/${BUCKET}/${name}`, body, headers: { 'content-type': 'application/zip', 'x-upsert': 'false', 'cache-control': 'max-age=3600' }, signal: options.signal }, 'The upload');
    await response.body?.cancel();
    options.onProgress?.(file.bytes);
  };

  const store: RemoteArchives = {
    async upload(projectId, file, options) {
      const name = nameOf(projectId, file.sha256);
      const stored: StoredArchive = { key: name, sha256: file.sha256, bytes: file.bytes };
      try {
        await send(name, file, options);
      } catch (error) {
        if (VesselError.from(error).code !== 'CONFLICT') throw error;
        // Equal name means equal content, unless the medium lost it: then the fresh copy takes its place.
        const there = await hashed(projectId, file.sha256, options.signal).catch((failure: unknown) => { if (VesselError.from(failure).code === 'NOT_FOUND') return null; throw failure; });
        if (there?.sha256 !== file.sha256) {
          await api.allowReplacement(name, options.signal);
          await remove([name]);
          await send(name, file, options).catch((failure: unknown) => { if (VesselError.from(failure).code !== 'CONFLICT') throw failure; });
        }
      }
      return stored;
    },

    put: (projectId, content, { signal }) => spooledPut(spool, content, signal, (file) => store.upload(projectId, file, signal === undefined ? {} : { signal })),

    async readBack(projectId, sha256, options) {
      try {
        return await hashed(projectId, sha256, options?.signal);
      } catch (error) {
        const known = VesselError.from(error);
        if (known.code !== 'NOT_FOUND') throw known;
        throw new VesselError('ARCHIVE_CORRUPT', 'The archive is not in the cloud', { cause: error, details: { projectId, sha256 } });
      }
    },

    async open(projectId, sha256) {
      await api.sign(nameOf(projectId, sha256), undefined); // says NOT_FOUND now rather than in the stream
      const abort = new AbortController();
      const stream = Readable.from(read(projectId, sha256, 0, abort.signal), { objectMode: false, highWaterMark: 256 * 1024 });
      stream.once('close', () => abort.abort());
      return stream;
    },

    download: async (projectId, sha256, path, options) => ({ key: nameOf(projectId, sha256), ...(await downloadTo(path, sha256, (from) => read(projectId, sha256, from, options.signal), options)) }),

    localPath: () => null,
    async remove(projectId, sha256, options = {}) {
      const name = nameOf(projectId, sha256);
      if (options.named === true) await api.allowReplacement(name, undefined);
      await remove([name]);
    },

    async list(projectId) {
      const { userId } = api.session.requireUser();
      const found: StoredArchive[] = [];
      for (let offset = 0; ; offset += PAGE) {
        const response = await api.ask({ method: 'POST', path: `object/list/${BUCKET}`, json: { prefix: userId, search: prefixOf(projectId), limit: PAGE, offset, sortBy: { column: 'name', order: 'asc' } } }, 'The archives');
        const page = await response.json() as readonly { readonly name: string; readonly metadata: { readonly size?: number } | null }[];
        for (const { name, metadata } of page) {
          // The search is for a part of the name, whatever surrounds it.
          const sha256 = name.startsWith(prefixOf(projectId)) ? /\.([0-9a-f]{64})\.zip$/.exec(name)?.[1] : undefined;
          if (sha256 !== undefined) found.push({ key: `${userId}/${name}`, sha256, bytes: metadata?.size ?? 0 });
        }
        if (page.length < PAGE) return found;
      }
    },

    async removeProject(projectId) {
      const found = await store.list(projectId);
      if (found.length === 0) return;
      // Their rows go after them, so that something tells of what is left when this is cut.
      await api.allowRemoval(projectId);
      await remove(found.map(({ key }) => key));
      const left = await store.list(projectId);
      if (left.length > 0) throw new VesselError('CLOUD_FAILED', `${left.length} of ${found.length} archives could not be removed from the cloud`, { details: { projectId } });
    },
  };
  return store;
}
