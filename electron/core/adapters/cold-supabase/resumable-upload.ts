import { open, type FileHandle } from 'node:fs/promises';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { VesselError } from '#shared/errors.ts';
import type { TransferOptions, UploadJournal } from '../../ports/remote-store.ts';
import { pause } from '../remote/resumed-read.ts';
import { isDuplicate, mayBeExpired, meaning, readAnswer, type Answer } from './failures.ts';
import { BUCKET, type StorageApi } from './storage-api.ts';

/** Supabase takes no other size than this (the last piece apart). */
export const CHUNK_BYTES = 6 * 1024 * 1024;
/** A token may end several times in a long upload, but not without any progress between. */
const MAX_RENEWALS_WITHOUT_PROGRESS = 2;
const ENDPOINT = 'upload/resumable';
const TUS = { 'tus-resumable': '1.0.0' } as const;
/** Answers to a HEAD have no body: these may mean an expired token. */
const MAYBE_EXPIRED: readonly number[] = [400, 401, 403];

export type UploadFile = { readonly path: string; readonly sha256: string; readonly bytes: number };
type Upload = { readonly api: StorageApi; readonly name: string; readonly file: UploadFile; readonly signal: AbortSignal | undefined; readonly agent: HttpsAgent };

/** A refusal, as it was answered: what it means depends on what was tried. */
class Refused extends Error {
  readonly answer: Answer;
  constructor(answer: Answer) { super(answer.message); this.answer = answer; }
}

/**
 * Sends a file in pieces over TUS 1.0. Its address is kept in the journal as soon as it is known, so that another process can go on with it.
 * Throws CONFLICT when the object exists; then what was sent of it is cleared away.
 */
export async function uploadResumably(api: StorageApi, journal: UploadJournal, name: string, file: UploadFile, { signal, onProgress }: TransferOptions, retryDelaysMs: readonly number[]): Promise<void> {
  // One connection for all pieces; a refusal drops it.
  const agent = api.root.startsWith('https:') ? new HttpsAgent({ keepAlive: true, maxSockets: 1 }) : new HttpAgent({ keepAlive: true, maxSockets: 1 }) as HttpsAgent;
  const upload: Upload = { api, name, file, signal, agent };
  const handle = await open(file.path, 'r');
  let failures = 0;
  let renewals = 0;
  try {
    for (;;) {
      throwIfCancelled(signal);
      try {
        let address = addressOf(journal.get(name));
        let offset = address === null ? null : await placeOf(upload, address, renewals > 0);
        if (address === null || offset === null) {
          address = await begin(upload);
          journal.put(name, `${api.root}/${address}`);
          offset = 0;
        }
        while (offset < file.bytes) {
          offset = await sendPiece(upload, handle, address, offset);
          failures = 0;
          renewals = 0;
          onProgress?.(offset);
          throwIfCancelled(signal);
        }
        journal.remove(name);
        return;
      } catch (error) {
        const answer = error instanceof Refused ? error.answer : null;
        if (answer !== null && isDuplicate(answer)) {
          await clear(upload, addressOf(journal.get(name)));
          journal.remove(name);
          throw meaning(answer, 'The upload');
        }
        if (answer !== null && mayBeExpired(answer)) {
          if (renewals >= MAX_RENEWALS_WITHOUT_PROGRESS) throw await api.refusal(answer, 'The upload');
          renewals += 1;
          await api.session.renew();
          continue;
        }
        const known = answer === null ? VesselError.from(error) : meaning(answer, 'The upload');
        const delay = retryDelaysMs[failures];
        // A 409 that is no duplicate: the server stands at another place than we think, which the next round asks for.
        const passing = known.code === 'CLOUD_OFFLINE' || known.code === 'CLOUD_FAILED' || answer?.status === 409;
        if (!passing || delay === undefined) throw known;
        failures += 1;
        await pause(delay, signal);
      }
    }
  } finally {
    agent.destroy();
    await handle.close();
  }
}

function throwIfCancelled(signal: AbortSignal | undefined): void { if (signal?.aborted === true) throw new VesselError('CANCELLED'); }

/** Where an upload is, below the Storage API. Only its last part is taken from what a server told: the token goes nowhere else. */
function addressOf(told: string | null): string | null {
  const id = told === null ? null : /\/([A-Za-z0-9_.~-]+)\/?$/.exec(told)?.[1];
  return id == null ? null : `${ENDPOINT}/${id}`;
}

async function begin({ api, name, file, signal }: Upload): Promise<string> {
  const metadata = Object.entries({ bucketName: BUCKET, objectName: name, contentType: 'application/zip', cacheControl: '3600' }).map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`).join(',');
  const response = await api.once({ method: 'POST', path: ENDPOINT, headers: { ...TUS, 'x-upsert': 'false', 'upload-length': String(file.bytes), 'upload-metadata': metadata }, signal });
  if (!response.ok) throw new Refused(await readAnswer(response));
  await response.body?.cancel();
  const address = addressOf(response.headers.get('location'));
  if (address === null) throw new VesselError('CLOUD_FAILED', 'The upload was begun without an address');
  return address;
}

/** How much the server has; null when it no longer knows the upload. `renewed`: the token is fresh, so it is not what is refused. */
async function placeOf({ api, file, signal }: Upload, address: string, renewed: boolean): Promise<number | null> {
  const response = await api.once({ method: 'HEAD', path: address, headers: TUS, signal });
  const { status } = response;
  await response.body?.cancel();
  const offset = Number(response.headers.get('upload-offset') ?? Number.NaN);
  if (response.ok && Number.isInteger(offset) && offset >= 0 && offset <= file.bytes) return offset;
  if (MAYBE_EXPIRED.includes(status) && !renewed) throw new Refused({ status: 401, code: '', message: `HTTP ${status}`, retryAfter: null });
  if (status === 429 || status === 423 || status >= 500) throw new Refused({ status, code: '', message: `HTTP ${status}`, retryAfter: response.headers.get('retry-after') });
  return null;
}

/** Sends the piece at `offset` and returns where the server is now. */
async function sendPiece({ api, file, signal, agent }: Upload, handle: FileHandle, address: string, offset: number): Promise<number> {
  const length = Math.min(CHUNK_BYTES, file.bytes - offset);
  const body = Buffer.allocUnsafe(length);
  for (let read = 0; read < length;) {
    const { bytesRead } = await handle.read(body, read, length - read, offset + read);
    if (bytesRead === 0) throw new VesselError('ARCHIVE_CORRUPT', 'The archive became shorter while it was sent');
    read += bytesRead;
  }
  const response = await api.once({ method: 'PATCH', path: address, headers: { ...TUS, 'x-upsert': 'false', 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }, body, signal, agent });
  if (!response.ok) throw new Refused(await readAnswer(response));
  const now = Number(response.headers.get('upload-offset') ?? Number.NaN);
  if (!Number.isInteger(now) || now <= offset || now > offset + length) throw new VesselError('CLOUD_FAILED', 'The server does not say how much arrived');
  return now;
}

/** What was sent for an object that exists already is of no use. A server that keeps it forgets it by itself, after a day. */
async function clear({ api, signal }: Upload, address: string | null): Promise<void> {
  if (address === null) return;
  const response = await api.once({ method: 'DELETE', path: address, headers: TUS, signal });
  await response.body?.cancel();
}
