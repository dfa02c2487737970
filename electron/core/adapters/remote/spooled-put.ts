import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import type { StoredArchive } from '../../ports/cold-store.ts';
import { storeError } from '../cold-local/files.ts';
import { writeHashed } from '../cold-local/write-hashed.ts';

/** An archive's name is its hash, which is known at its end: a stream is spooled to disk first, then sent. */
export async function spooledPut(spool: string, content: Readable, signal: AbortSignal | undefined, send: (file: { readonly path: string; readonly sha256: string; readonly bytes: number }) => Promise<StoredArchive>): Promise<StoredArchive> {
  // A source that never sends another byte must not outlive the cancel.
  if (signal !== undefined) addAbortSignal(signal, content);
  // Until the reading begins nothing listens; the reader gets the same error then.
  content.on('error', () => undefined);
  const path = join(spool, `put-${process.pid}-${crypto.randomUUID()}`);
  try {
    await mkdir(spool, { recursive: true, mode: 0o700 });
    return await send({ path, ...(await writeHashed(path, content, signal)) });
  } catch (error) {
    throw storeError(error);
  } finally {
    content.destroy();
    await rm(path, { force: true });
  }
}
