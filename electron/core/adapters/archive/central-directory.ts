import { centralLength, centralRecord, setMode, type EntryRecord } from './zip-format.ts';

const CHUNK_BYTES = 256 * 1024;

/** The central directory while it grows: packed bytes (about 130 an entry) instead of objects, so half a million entries stay below 70 MB. */
export class CentralDirectory {
  readonly #chunks: { bytes: Buffer; used: number }[] = [];
  #cursor = { chunk: 0, at: 0 };
  entries = 0;
  bytes = 0;

  /** `mode` null: {@link setNextMode} will say it. */
  add(record: EntryRecord, mode: number | null): void {
    const bytes = centralRecord(record);
    if (mode !== null) setMode(bytes, 0, mode);
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.used + bytes.length > chunk.bytes.length) {
      chunk = { bytes: Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes.length)), used: 0 };
      this.#chunks.push(chunk);
    }
    bytes.copy(chunk.bytes, chunk.used);
    chunk.used += bytes.length;
    this.entries += 1;
    this.bytes += bytes.length;
  }

  /** Gives the next entry, in the order of adding, its mode. */
  setNextMode(mode: number): void {
    let chunk = this.#chunks[this.#cursor.chunk];
    if (chunk !== undefined && this.#cursor.at >= chunk.used) {
      this.#cursor = { chunk: this.#cursor.chunk + 1, at: 0 };
      chunk = this.#chunks[this.#cursor.chunk];
    }
    if (chunk === undefined) throw new Error('a mode without an entry');
    setMode(chunk.bytes, this.#cursor.at, mode);
    this.#cursor.at += centralLength(chunk.bytes, this.#cursor.at);
  }

  *chunks(): Generator<Buffer> {
    for (const chunk of this.#chunks) yield chunk.bytes.subarray(0, chunk.used);
  }
}
