import { constants, crc32, deflateRaw, type ZlibOptions } from 'node:zlib';
import { crc32Zeros } from '#shared/crc32-zeros.ts';
import { CentralDirectory } from './central-directory.ts';
import { isWorthDeflating } from './compressible.ts';
import { dataDescriptor, endOfArchive, FLAG, localHeader, METHOD, U32, type EntryRecord } from './zip-format.ts';
import { SparseFramer } from './sparse-framer.ts';
import { PIECE_BYTES, ZERO_PIECE, type ZipEntryPiece, type ZipPiece } from './zip-piece.ts';

/** zlib level: 4 is where speed and size meet on source trees (measured: 6 costs twice the time for 3 % of the size). */
const LEVEL = 4;
/** Raw bytes being compressed or waiting for their turn; with their output this bounds the memory. */
const MAX_IN_FLIGHT_BYTES = 6 * PIECE_BYTES;
/** Each waiting piece holds a zlib state of up to 256 KB; a few dozen keep zlib's threads busy. */
const MAX_IN_FLIGHT_PIECES = 24;
/** Output is handed on in portions of about this size. */
const PORTION_BYTES = 256 * 1024;
/** An entry whose first piece shrinks by less than this is stored. */
const WORTHWHILE = 0.95;
/** Sizes that may reach the 32-bit limit get Zip64 fields; deflate can also grow a little. */
const ZIP64_FROM = U32 - 64 * PIECE_BYTES;
/** An empty, final deflate block: ends a run of independently compressed pieces. */
const FINAL_BLOCK = Buffer.from([0x03, 0x00]);

/** Without deflate every entry is stored, or framed when it has holes (only a guest reads that); each then needs its CRC beforehand. */
export type EncodingOptions = { readonly deflate: boolean };
type Chunk = { readonly raw: Buffer; readonly packed: Promise<Buffer> | null };
type Job = { readonly entry: ZipEntryPiece; readonly chunk: Chunk | null; readonly first: boolean; readonly last: boolean };

/**
 * Encodes an archive while its pieces arrive. Pieces are deflated in parallel by zlib's threads and leave in order; large
 * entries are runs of independently deflated pieces, so memory stays bounded for any size. Equal pieces give equal bytes.
 */
export async function* encodeZip(pieces: AsyncIterable<ZipPiece>, options: EncodingOptions): AsyncGenerator<Buffer, void> {
  const encoder = new Encoder(options);
  let entry: ZipEntryPiece | null = null;
  let held: Buffer | null = null;
  let first = true;
  // One piece is held back, because only the next one tells whether it was the entry's last.
  const release = (last: boolean): void => {
    if (entry === null) return;
    encoder.add(entry, held, first, last);
    first = false;
    held = null;
  };
  for await (const piece of pieces) {
    switch (piece.kind) {
      case 'entry':
        release(true);
        entry = piece;
        first = true;
        break;
      case 'data':
        if (held !== null) release(false);
        held = piece.data;
        break;
      case 'mode':
        release(true);
        entry = null;
        yield* encoder.drain(true);
        encoder.central.setNext(piece.mode, piece.attributes);
        break;
    }
    yield* encoder.drain(false);
  }
  release(true);
  yield* encoder.drain(true);
  yield* encoder.finish();
}

class Encoder {
  readonly central = new CentralDirectory();
  readonly #options: EncodingOptions;
  readonly #jobs: Job[] = [];
  #inFlight = 0;
  #offset = 0;
  #portion: Buffer[] = [];
  #portionBytes = 0;
  #open: { framer: SparseFramer | null; method: number; described: boolean; zip64: boolean; crc: number; size: number; compressed: number; offset: number } | null = null;

  constructor(options: EncodingOptions) { this.#options = options; }

  add(entry: ZipEntryPiece, raw: Buffer | null, first: boolean, last: boolean): void {
    const whole = first && last;
    // Content of unknown length must be deflated whatever it is, see #begin.
    const deflate = raw !== null && this.#options.deflate && (entry.sparse === true || isWorthDeflating(entry.name, entry.size) || (!whole && entry.crc === null));
    const packed = deflate ? packedPiece(raw, whole ? constants.Z_FINISH : constants.Z_SYNC_FLUSH) : null;
    // Awaited in order later; an encoder that is abandoned meanwhile must not leave an unhandled rejection.
    packed?.catch(() => undefined);
    this.#jobs.push({ entry, chunk: raw === null ? null : { raw, packed }, first, last });
    this.#inFlight += raw?.length ?? 0;
  }

  /** Emits finished work: all of it, or only what exceeds the bounds. */
  async *drain(all: boolean): AsyncGenerator<Buffer> {
    while (this.#jobs.length > 0 && (all || this.#inFlight > MAX_IN_FLIGHT_BYTES || this.#jobs.length > MAX_IN_FLIGHT_PIECES)) {
      const job = this.#jobs.shift();
      if (job === undefined) break;
      await this.#emit(job);
      this.#inFlight -= job.chunk?.raw.length ?? 0;
      if (this.#portionBytes >= PORTION_BYTES) yield this.#takePortion();
    }
  }

  *finish(): Generator<Buffer> {
    if (this.#portionBytes > 0) yield this.#takePortion();
    const offset = this.#offset;
    yield* this.central.chunks();
    yield endOfArchive(this.central.entries, offset, this.central.bytes);
  }

  async #emit({ entry, chunk, first, last }: Job): Promise<void> {
    const raw = chunk?.raw ?? Buffer.alloc(0);
    const packed = chunk?.packed === null || chunk === null ? null : await chunk.packed;
    const framed = entry.sparse === true && !this.#options.deflate;
    if (first && last && !framed) return this.#emitWhole(entry, raw, packed);
    if (first) this.#begin(entry, raw, packed, framed);
    const open = this.#open;
    if (open === null) throw new Error('data without an entry');
    open.crc = raw === ZERO_PIECE ? crc32Zeros(open.crc, raw.length) : crc32(raw, open.crc);
    open.size += raw.length;
    for (const body of open.framer?.push(raw) ?? [open.method === METHOD.stored || packed === null ? raw : packed]) {
      open.compressed += body.length;
      this.#write(body);
    }
    if (last) this.#end(entry);
  }

  #emitWhole(entry: ZipEntryPiece, raw: Buffer, packed: Buffer | null): void {
    const deflated = packed !== null && packed.length < raw.length;
    const body = deflated ? packed : raw;
    const record = { ...told(entry), flags: entry.utf8 ? FLAG.utf8 : 0, method: deflated ? METHOD.deflated : METHOD.stored, crc: crc32(raw), compressedSize: body.length, size: raw.length, offset: this.#offset };
    this.#write(localHeader(record, false));
    this.#write(body);
    this.central.add(record, entry.mode);
  }

  #begin(entry: ZipEntryPiece, raw: Buffer, packed: Buffer | null, framed: boolean): void {
    // Stored data without a known length could not be read as a stream, so unknown content is always deflated.
    const stored = entry.crc !== null && entry.sparse !== true && (packed === null || packed.length > raw.length * WORTHWHILE);
    const method = framed ? METHOD.sparse : stored ? METHOD.stored : METHOD.deflated;
    const zip64 = entry.size >= ZIP64_FROM;
    const described = !stored;
    this.#open = { framer: framed ? new SparseFramer() : null, method, described, zip64, crc: 0, size: 0, compressed: 0, offset: this.#offset };
    this.#write(localHeader({ ...told(entry), flags: this.#flags(entry, described), method, crc: entry.crc ?? 0, compressedSize: entry.size, size: entry.size, offset: this.#offset }, zip64));
  }

  #end(entry: ZipEntryPiece): void {
    const open = this.#open;
    if (open === null) throw new Error('an end without an entry');
    const tail = open.method === METHOD.deflated ? FINAL_BLOCK : open.framer?.end() ?? null;
    if (tail !== null) { open.compressed += tail.length; this.#write(tail); }
    if (open.described) this.#write(dataDescriptor({ crc: open.crc, compressedSize: open.compressed, size: open.size }, open.zip64));
    this.central.add({ ...told(entry), flags: this.#flags(entry, open.described), method: open.method, crc: open.crc, compressedSize: open.compressed, size: open.size, offset: open.offset }, entry.mode);
    this.#open = null;
  }

  #flags(entry: ZipEntryPiece, described: boolean): number {
    return (entry.utf8 ? FLAG.utf8 : 0) | (described ? FLAG.descriptor : 0);
  }

  #write(bytes: Buffer): void {
    this.#portion.push(bytes);
    this.#portionBytes += bytes.length;
    this.#offset += bytes.length;
  }

  #takePortion(): Buffer {
    const portion = Buffer.concat(this.#portion);
    this.#portion = [];
    this.#portionBytes = 0;
    return portion;
  }
}

/** What an entry's records say of it wherever its content lies. */
function told({ name, mtime, owner, attributes }: ZipEntryPiece): Pick<EntryRecord, 'name' | 'mtime' | 'owner' | 'attributes'> {
  return { name, mtime, owner, attributes };
}

let packedZeros: Promise<Buffer> | null = null;

/** A hole of gigabytes is the same piece again and again: it is deflated once. */
function packedPiece(raw: Buffer, finishFlush: number): Promise<Buffer> {
  if (raw !== ZERO_PIECE || finishFlush !== constants.Z_SYNC_FLUSH) return deflateAsync(raw, finishFlush);
  packedZeros ??= deflateAsync(raw, finishFlush);
  return packedZeros;
}

function deflateAsync(raw: Buffer, finishFlush: number): Promise<Buffer> {
  // A window and hash table no larger than the data: setting up zlib's full 256 KB costs more than deflating a small file.
  const bits = Math.min(15, Math.max(9, Math.ceil(Math.log2(raw.length + 1))));
  const options: ZlibOptions = { level: LEVEL, finishFlush, windowBits: bits, memLevel: Math.min(8, bits - 6), chunkSize: Math.max(256, Math.min(raw.length, 256 * 1024)) };
  return new Promise((resolve, reject) => deflateRaw(raw, options, (error, result) => { if (error === null) resolve(result); else reject(error); }));
}
