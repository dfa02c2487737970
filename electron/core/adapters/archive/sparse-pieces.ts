import { crc32 } from 'node:zlib';
import { SPARSE_FRAME_BYTES } from '#shared/archive-fields.ts';
import { crc32Zeros } from '#shared/crc32-zeros.ts';
import type { ByteReader } from './byte-reader.ts';
import { PIECE_BYTES, ZERO_PIECE } from './zip-piece.ts';

/** What the frames held; `consumed` counts their own bytes. */
export type Unframed = { readonly crc: number; readonly size: number; readonly consumed: number };

/**
 * Turns the frames of an entry (see METHOD_SPARSE) into whole pieces; one of zeros alone is always {@link ZERO_PIECE}. Reads at most `framedBytes`
 * and stops early where the frames hold more than `size`. The caller compares what it returns with what the headers say.
 */
export async function* unframe(reader: ByteReader, framedBytes: number, size: number): AsyncGenerator<Buffer, Unframed> {
  let crc = 0;
  let position = 0;
  let consumed = 0;
  /** The piece under way; null while it is nothing but zeros. */
  let piece: Buffer | null = null;
  const filled = (): number => position % PIECE_BYTES;
  const take = (): Buffer => {
    const whole = piece ?? ZERO_PIECE;
    piece = null;
    return whole;
  };
  while (consumed + SPARSE_FRAME_BYTES <= framedBytes) {
    const head = await reader.take(SPARSE_FRAME_BYTES);
    const zeros = Number(head.readBigUInt64LE(0));
    const length = head.readUInt32LE(8);
    consumed += SPARSE_FRAME_BYTES;
    if (position + zeros + length > size || consumed + length > framedBytes) return { crc, size: position + zeros + length, consumed };
    crc = crc32Zeros(crc, zeros);
    for (let left = zeros; left > 0;) {
      const count = Math.min(left, PIECE_BYTES - filled());
      position += count;
      left -= count;
      if (filled() === 0) yield take();
    }
    for (let left = length; left > 0;) {
      const data = await reader.take(Math.min(left, PIECE_BYTES - filled()));
      crc = crc32(data, crc);
      piece ??= Buffer.alloc(PIECE_BYTES);
      data.copy(piece, filled());
      position += data.length;
      left -= data.length;
      consumed += data.length;
      if (filled() === 0) yield take();
    }
  }
  if (filled() > 0) {
    const bytes = filled();
    yield take().subarray(0, bytes);
  }
  return { crc, size: position, consumed };
}
