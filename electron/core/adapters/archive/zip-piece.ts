/**
 * An archive on its way into the encoder: each entry, then its data in chunks, then the next entry. `crc` null means not
 * known beforehand. `mode` null means that a `mode` piece for each entry follows after the last one, in the same order.
 */
export type ZipPiece =
  | { readonly kind: 'entry'; readonly name: Buffer; readonly utf8: boolean; readonly mtime: number; readonly size: number; readonly crc: number | null; readonly mode: number | null }
  | { readonly kind: 'data'; readonly data: Buffer }
  | { readonly kind: 'mode'; readonly mode: number };
export type ZipEntryPiece = Extract<ZipPiece, { kind: 'entry' }>;

/** Data pieces are at most this long; the encoder compresses each on its own, several at once. */
export const PIECE_BYTES = 1024 * 1024;
