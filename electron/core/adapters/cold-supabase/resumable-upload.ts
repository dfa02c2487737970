import { createReadStream } from 'node:fs';
import type { DetailedError, Upload } from 'tus-js-client';
import { VesselError } from '#shared/errors.ts';
import type { TransferOptions, UploadJournal } from '../../ports/remote-store.ts';
import { linkError, meaning } from './failures.ts';
import { BUCKET, type StorageApi } from './storage-api.ts';

/** Supabase takes no other size than this (the last piece apart). */
export const CHUNK_BYTES = 6 * 1024 * 1024;
/** A token may end several times in a long upload, but not without any progress between. */
const MAX_RENEWALS_WITHOUT_PROGRESS = 2;

export type UploadFile = { readonly path: string; readonly sha256: string; readonly bytes: number };

/** Sends a file in pieces over TUS. Its address is kept in the journal as soon as it is known, so that another process can go on with it. Throws CONFLICT when the object exists. */
export async function uploadResumably(api: StorageApi, journal: UploadJournal, name: string, file: UploadFile, { signal, onProgress }: TransferOptions, retryDelaysMs: readonly number[]): Promise<void> {
  let sent = -1;
  for (let renewals = 0; ;) {
    let reached = Math.max(0, sent);
    try {
      await attempt(api, journal, name, file, signal, (bytes) => { reached = bytes; onProgress?.(bytes); }, retryDelaysMs);
      journal.remove(name);
      return;
    } catch (error) {
      const known = VesselError.from(error);
      if (known.code === 'CONFLICT') journal.remove(name);
      renewals = reached > sent ? 0 : renewals + 1;
      sent = reached;
      const expired = known.code === 'CLOUD_SIGNED_OUT' || (known.code === 'CLOUD_REFUSED' && known.details['status'] === 403);
      if (!expired || renewals > MAX_RENEWALS_WITHOUT_PROGRESS) throw known;
      await api.session.renew();
    }
  }
}

async function attempt(api: StorageApi, journal: UploadJournal, name: string, file: UploadFile, signal: AbortSignal | undefined, onProgress: (bytes: number) => void, retryDelaysMs: readonly number[]): Promise<void> {
  if (signal?.aborted === true) throw new VesselError('CANCELLED');
  // Loaded when first needed: it would cost every start 80 ms.
  const tus = await import('tus-js-client');
  const known = journal.get(name);
  const source = createReadStream(file.path);
  try {
    await new Promise<void>((resolve, reject) => {
      const upload: Upload = new tus.Upload(source, {
        endpoint: `${api.root}/upload/resumable`, uploadUrl: known, uploadSize: file.bytes, chunkSize: CHUNK_BYTES, retryDelays: [...retryDelaysMs],
        headers: { apikey: api.session.publishableKey, 'x-upsert': 'false' },
        metadata: { bucketName: BUCKET, objectName: name, contentType: 'application/zip', cacheControl: '3600' },
        storeFingerprintForResuming: false,
        onBeforeRequest: async (request) => { request.setHeader('authorization', `Bearer ${await api.session.token()}`); },
        // An expired token is for us: repeating with the same one is of no use.
        onShouldRetry: (error) => { const status = error.originalResponse?.getStatus() ?? 0; return status === 0 || status === 423 || (status >= 500 && status !== 540) || status === 409 && upload.url !== null; },
        onUploadUrlAvailable: () => { if (upload.url !== null && upload.url !== known) journal.put(name, upload.url); },
        onChunkComplete: (_size, accepted) => onProgress(accepted),
        onSuccess: () => resolve(),
        onError: (error) => reject(tusError(error, signal)),
      });
      signal?.addEventListener('abort', () => { upload.abort(false).then(() => reject(new VesselError('CANCELLED')), reject); }, { once: true });
      source.once('error', reject);
      upload.start();
    });
  } finally {
    source.destroy();
  }
}

function tusError(error: Error | DetailedError, signal: AbortSignal | undefined): VesselError {
  const response = 'originalResponse' in error ? error.originalResponse : null;
  if (response === null) {
    const cause = 'causingError' in error ? error.causingError : null;
    return cause instanceof VesselError ? cause : linkError(error, signal);
  }
  return meaning({ status: response.getStatus(), code: '', message: response.getBody().slice(0, 200), retryAfter: response.getHeader('retry-after') ?? null }, 'The upload');
}
