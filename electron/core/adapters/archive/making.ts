import { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveCount, ArchiveOptions, ZipInTheMaking } from '../../ports/archiver.ts';
import { encodeZip, type EncodingOptions } from './zip-encoder.ts';
import type { ZipPiece } from './zip-piece.ts';

/** Pieces become a readable zip; what the generator returns is the count. Cancelled by the signal. */
export function makeZip(pieces: AsyncGenerator<ZipPiece, ArchiveCount>, options: Pick<ArchiveOptions, 'signal' | 'onProgress'> | null, encoding: EncodingOptions = { deflate: true }): ZipInTheMaking {
  const count = Promise.withResolvers<ArchiveCount>();
  // Read by the saver after the content; a failure shows in the content first.
  count.promise.catch(() => undefined);
  const counted = async function* (): AsyncGenerator<ZipPiece, void> {
    let read = 0;
    let told = 0;
    for (;;) {
      if (options?.signal.aborted === true) throw new VesselError('CANCELLED');
      const next = await pieces.next();
      if (next.done === true) { count.resolve(next.value); return; }
      if (next.value.kind === 'data') read += next.value.data.length;
      if (read - told >= PROGRESS_BYTES) { told = read; options?.onProgress?.(read); }
      yield next.value;
    }
  };
  const bytes = async function* (): AsyncGenerator<Buffer, void> {
    try {
      yield* encodeZip(counted(), encoding);
    } catch (error) {
      const known = VesselError.from(error);
      count.reject(known);
      throw known;
    } finally {
      count.reject(new VesselError('CANCELLED'));
      await pieces.return({ entries: 0, files: 0, contentBytes: 0 });
    }
  };
  return { content: Readable.from(bytes(), { objectMode: false, highWaterMark: 1024 * 1024 }), count: count.promise };
}

const PROGRESS_BYTES = 512 * 1024;
