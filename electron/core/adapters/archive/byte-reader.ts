import { VesselError } from '#shared/errors.ts';

/** Reads exact amounts from a stream of chunks, holding no more than one chunk beyond what was asked for. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #chunk: Buffer = Buffer.alloc(0);
  #ended = false;
  /** Bytes handed out so far. */
  position = 0;

  constructor(source: AsyncIterable<Buffer>) { this.#source = source[Symbol.asyncIterator](); }

  /** Exactly `length` bytes. Throws ARCHIVE_CORRUPT when the stream ends before. */
  async take(length: number): Promise<Buffer> {
    if (this.#chunk.length >= length) return this.#cut(length);
    const parts = [this.#chunk];
    let have = this.#chunk.length;
    while (have < length) {
      const next = await this.#pull();
      if (next === null) throw new VesselError('ARCHIVE_CORRUPT', 'The archive ends in the middle', { details: { at: this.position + have } });
      parts.push(next);
      have += next.length;
    }
    this.#chunk = Buffer.concat(parts);
    return this.#cut(length);
  }

  /** Between 1 and `most` bytes, whatever is at hand. */
  async some(most: number): Promise<Buffer> {
    if (this.#chunk.length === 0) {
      const next = await this.#pull();
      if (next === null) throw new VesselError('ARCHIVE_CORRUPT', 'The archive ends in the middle', { details: { at: this.position } });
      this.#chunk = next;
    }
    return this.#cut(Math.min(most, this.#chunk.length));
  }

  /** True when nothing follows. */
  async atEnd(): Promise<boolean> {
    if (this.#chunk.length > 0) return false;
    const next = await this.#pull();
    if (next === null) return true;
    this.#chunk = next;
    return false;
  }

  #cut(length: number): Buffer {
    const bytes = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    this.position += length;
    return bytes;
  }

  async #pull(): Promise<Buffer | null> {
    while (!this.#ended) {
      const next = await this.#source.next();
      if (next.done === true) { this.#ended = true; return null; }
      if (next.value.length > 0) return next.value;
    }
    return null;
  }
}
