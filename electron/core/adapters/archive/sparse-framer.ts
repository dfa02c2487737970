import { HOLE_BYTES, SPARSE_FRAME_BYTES } from '#shared/archive-fields.ts';
import { ZERO_PIECE } from './zip-piece.ts';

const ZEROS = ZERO_PIECE.subarray(0, HOLE_BYTES);

/** Content as frames in which blocks of zeros are only counted, see METHOD_SPARSE. Every piece but the last is whole blocks. */
export class SparseFramer {
  /** Zeros that stand before what comes next. */
  #zeros = 0;

  push(piece: Buffer): readonly Buffer[] {
    if (piece === ZERO_PIECE) { this.#zeros += piece.length; return []; }
    const frames: Buffer[] = [];
    for (let at = 0; at < piece.length;) {
      const isHole = this.#isZero(piece, at);
      let end = at;
      while (end < piece.length && this.#isZero(piece, end) === isHole) end = Math.min(piece.length, end + HOLE_BYTES);
      if (isHole) this.#zeros += end - at;
      else frames.push(this.#head(end - at), piece.subarray(at, end));
      at = end;
    }
    return frames;
  }

  /** The zeros at the end, which no data follows; null when there are none. */
  end(): Buffer | null {
    return this.#zeros === 0 ? null : this.#head(0);
  }

  #isZero(piece: Buffer, at: number): boolean {
    return at + HOLE_BYTES <= piece.length ? piece.subarray(at, at + HOLE_BYTES).equals(ZEROS) : piece.subarray(at).equals(ZERO_PIECE.subarray(0, piece.length - at));
  }

  #head(bytes: number): Buffer {
    const head = Buffer.allocUnsafe(SPARSE_FRAME_BYTES);
    head.writeBigUInt64LE(BigInt(this.#zeros), 0);
    head.writeUInt32LE(bytes, 8);
    this.#zeros = 0;
    return head;
  }
}
