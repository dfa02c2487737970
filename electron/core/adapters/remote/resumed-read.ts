import { createHash } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';
import type { StoredArchive } from '../../ports/cold-store.ts';
import type { TransferOptions } from '../../ports/remote-store.ts';
import { isErrno, storeError, syncFolder } from '../cold-local/files.ts';
import { hashFile } from '../cold-local/write-hashed.ts';
import { dirname } from 'node:path';

/** Opens the object from a byte on. A body that breaks in the middle is asked for again from where it broke. */
export type OpenRange = (from: number, signal: AbortSignal | undefined) => Promise<{ readonly body: AsyncIterable<Uint8Array>; readonly totalBytes: number | null }>;
export type RetryPolicy = {
  /** Milliseconds before each attempt after one that brought nothing; their number is how often that may happen in a row. */
  readonly delaysMs: readonly number[];
};

/** Attempts after a link that broke without bringing a byte. With them an outage of half a minute goes unnoticed. */
export const DEFAULT_RETRIES: RetryPolicy = { delaysMs: [200, 1_000, 3_000, 8_000, 15_000] };

/** Reads an object from `from` on, through any number of cut links. Throws what the last attempt threw. */
export async function* resumedRead(openRange: OpenRange, from: number, { delaysMs }: RetryPolicy, signal?: AbortSignal): AsyncGenerator<Buffer, void> {
  let position = from;
  for (let barren = 0; ;) {
    const before = position;
    try {
      const { body, totalBytes } = await openRange(position, signal);
      for await (const chunk of body) {
        position += chunk.byteLength;
        yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      }
      if (totalBytes === null || position >= totalBytes) return;
      throw new VesselError('CLOUD_OFFLINE', `The object ended after ${position} of ${totalBytes} bytes`);
    } catch (error) {
      if (signal?.aborted === true) throw new VesselError('CANCELLED', undefined, { cause: error });
      const known = error instanceof VesselError ? error : new VesselError('CLOUD_OFFLINE', undefined, { cause: error });
      barren = position > before ? 0 : barren + 1;
      const delay = delaysMs[barren === 0 ? 0 : barren - 1];
      if (!known.retryable || delay === undefined) throw known;
      await pause(delay, signal);
    }
  }
}

/** Hash and size of an object, without keeping it. */
export async function hashRemote(bytes: AsyncIterable<Buffer>): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256');
  let count = 0;
  for await (const chunk of bytes) { hash.update(chunk); count += chunk.length; }
  return { sha256: hash.digest('hex'), bytes: count };
}

/**
 * Writes an object to `path`, beginning where `<path>.part` of an earlier attempt ends. The file appears durably and only with
 * the right hash; a part that leads to a wrong one is thrown away. Throws ARCHIVE_CORRUPT.
 */
export async function downloadTo(path: string, sha256: string, read: (from: number) => AsyncIterable<Buffer>, { signal, onProgress }: TransferOptions): Promise<Omit<StoredArchive, 'key'>> {
  const part = `${path}.part`;
  const start = await stat(part).then(({ size }) => size, (error: unknown) => { if (isErrno(error, 'ENOENT')) return 0; throw storeError(error); });
  try {
    const handle = await open(part, 'a', 0o600);
    try {
      let position = start;
      for await (const chunk of read(start)) {
        for (let rest = chunk; rest.length > 0;) rest = rest.subarray((await handle.write(rest)).bytesWritten);
        position += chunk.length;
        onProgress?.(position);
        if (signal?.aborted === true) throw new VesselError('CANCELLED');
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    const found = await hashFile(part);
    if (found.sha256 !== sha256) {
      await rm(part, { force: true });
      // An old part of a damaged object would spoil a healed one: once more from the start.
      if (start > 0) return await downloadTo(path, sha256, read, { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) });
      throw new VesselError('ARCHIVE_CORRUPT', 'The archive in the cloud is not the one that was saved', { details: { expected: sha256, found: found.sha256, bytes: found.bytes } });
    }
    await rename(part, path);
    await syncFolder(dirname(path));
    return { sha256, bytes: found.bytes };
  } catch (error) {
    // A range that begins after the end: the part is longer than the object.
    if (start > 0 && error instanceof VesselError && error.details['status'] === RANGE_NOT_SATISFIABLE) {
      await rm(part, { force: true });
      return downloadTo(path, sha256, read, { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) });
    }
    throw storeError(error);
  }
}

/** HTTP: the range lies outside of the object. */
export const RANGE_NOT_SATISFIABLE = 416;

/** Waits, unless cancelled. Throws CANCELLED. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) { reject(new VesselError('CANCELLED')); return; }
    const timer = setTimeout(() => { signal?.removeEventListener('abort', onAbort); resolve(); }, ms);
    const onAbort = (): void => { clearTimeout(timer); reject(new VesselError('CANCELLED')); };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The whole size that a `content-range` or `content-length` header tells; null when neither does. */
export function totalOf(headers: Headers, from: number): number | null {
  const range = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1];
  if (range !== undefined) return Number(range);
  const length = headers.get('content-length');
  return length === null ? null : from + Number(length);
}
