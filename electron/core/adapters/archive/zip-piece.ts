import type { EntryAttributes, Owner } from '#shared/archive-fields.ts';

/**
 * An archive on its way into the encoder: each entry, then its data in chunks, then the next entry. `crc` null means not
 * known beforehand. `mode` null means that a `mode` piece for each entry follows after the last one, in the same order. Only what comes from a
 * workspace has an owner, attributes, or holes (`sparse`: long runs of zeros are cheap on every way).
 */
export type ZipPiece =
  | { readonly kind: 'entry'; readonly name: Buffer; readonly utf8: boolean; readonly mtime: number; readonly size: number; readonly crc: number | null; readonly mode: number | null; readonly sparse?: boolean; readonly owner?: Owner | null; readonly attributes?: EntryAttributes }
  | { readonly kind: 'data'; readonly data: Buffer }
  | { readonly kind: 'mode'; readonly mode: number; readonly attributes: EntryAttributes };
export type ZipEntryPiece = Extract<ZipPiece, { kind: 'entry' }>;

/** Data pieces are at most this long; the encoder compresses each on its own, several at once. */
export const PIECE_BYTES = 1024 * 1024;

/** Chunks joined to whole pieces, so that equal content is encoded equally however it arrived. */
export async function* inPieces(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    parts.push(chunk);
    bytes += chunk.length;
    while (bytes >= PIECE_BYTES) {
      const whole = Buffer.concat(parts);
      yield whole.subarray(0, PIECE_BYTES);
      parts = [whole.subarray(PIECE_BYTES)];
      bytes -= PIECE_BYTES;
    }
  }
  if (bytes > 0) yield Buffer.concat(parts);
}

/** A piece of nothing but zeros, known by its identity: nobody need look into it. Never written to. */
export const ZERO_PIECE = Buffer.alloc(PIECE_BYTES);
