import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';

/** Chunks are joined up to this before a write: small zip entries would otherwise cost a system call each. */
const WRITE_BYTES = 1024 * 1024;

/**
 * Writes a stream to a new file while hashing it, and makes it durable (fsync). Fails if the file exists. The caller
 * removes the file when this throws.
 */
export async function writeHashed(path: string, content: Readable, signal: AbortSignal | undefined): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  const handle = await open(path, 'wx', 0o600);
  try {
    const flush = async (): Promise<void> => {
      for (let rest = waiting.length === 1 ? waiting[0] : Buffer.concat(waiting); rest !== undefined && rest.length > 0;) {
        const { bytesWritten } = await handle.write(rest);
        rest = rest.subarray(bytesWritten);
      }
      waiting = [];
      waitingBytes = 0;
    };
    for await (const chunk of content as AsyncIterable<Buffer>) {
      if (signal?.aborted === true) throw new VesselError('CANCELLED');
      hash.update(chunk);
      bytes += chunk.length;
      waiting.push(chunk);
      waitingBytes += chunk.length;
      if (waitingBytes >= WRITE_BYTES) await flush();
    }
    await flush();
    if (signal?.aborted === true) throw new VesselError('CANCELLED');
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** Hash and size of what the file holds now. */
export async function hashFile(path: string): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(path, 'r');
  const buffer = Buffer.allocUnsafe(WRITE_BYTES);
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest('hex'), bytes };
}
