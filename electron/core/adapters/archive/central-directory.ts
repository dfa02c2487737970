import type { EntryAttributes } from '#shared/archive-fields.ts';
import { attributesExtra, centralLength, centralRecord, setMode, type EntryRecord } from './zip-format.ts';

const CHUNK_BYTES = 256 * 1024;

/** Byte strings one behind the other, in large chunks. */
class Packed {
  readonly chunks: { bytes: Buffer; used: number }[] = [];

  add(bytes: Buffer): void {
    let chunk = this.chunks.at(-1);
    if (chunk === undefined || chunk.used + bytes.length > chunk.bytes.length) {
      chunk = { bytes: Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes.length)), used: 0 };
      this.chunks.push(chunk);
    }
    bytes.copy(chunk.bytes, chunk.used);
    chunk.used += bytes.length;
  }
}

/** The central directory while it grows: packed bytes (about 150 an entry) instead of objects, so half a million entries stay below 80 MB. */
export class CentralDirectory {
  readonly #records = new Packed();
  /** Attributes that came after the records, each behind its 16-bit length; then every record has some, maybe of no length. */
  readonly #late = new Packed();
  #cursor = { chunk: 0, at: 0 };
  entries = 0;
  bytes = 0;

  /** `mode` null: {@link setNext} will say it. */
  add(record: EntryRecord, mode: number | null): void {
    const bytes = centralRecord(record);
    if (mode !== null) setMode(bytes, 0, mode);
    this.#records.add(bytes);
    this.entries += 1;
    this.bytes += bytes.length;
  }

  /** Gives the next entry, in the order of adding, its mode and attributes. */
  setNext(mode: number, attributes: EntryAttributes): void {
    const { chunks } = this.#records;
    let chunk = chunks[this.#cursor.chunk];
    if (chunk !== undefined && this.#cursor.at >= chunk.used) {
      this.#cursor = { chunk: this.#cursor.chunk + 1, at: 0 };
      chunk = chunks[this.#cursor.chunk];
    }
    if (chunk === undefined) throw new Error('a mode without an entry');
    setMode(chunk.bytes, this.#cursor.at, mode);
    this.#cursor.at += centralLength(chunk.bytes, this.#cursor.at);
    const field = attributesExtra(attributes);
    const framed = Buffer.allocUnsafe(2 + field.length);
    framed.writeUInt16LE(field.length, 0);
    field.copy(framed, 2);
    this.#late.add(framed);
    this.bytes += field.length;
  }

  *chunks(): Generator<Buffer> {
    const late = this.#lateFields();
    for (const { bytes, used } of this.#records.chunks) {
      if (this.#late.chunks.length === 0) yield bytes.subarray(0, used);
      else yield withFields(bytes.subarray(0, used), late);
    }
  }

  *#lateFields(): Generator<Buffer, undefined> {
    for (const { bytes, used } of this.#late.chunks) {
      for (let at = 0; at < used;) {
        const end = at + 2 + bytes.readUInt16LE(at);
        yield bytes.subarray(at + 2, end);
        at = end;
      }
    }
  }
}

/** The records, each with the next field at the end of its extra fields. */
function withFields(records: Buffer, fields: Iterator<Buffer, undefined>): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < records.length;) {
    const end = at + centralLength(records, at);
    const field = fields.next().value;
    parts.push(records.subarray(at, end));
    if (field !== undefined && field.length > 0) {
      records.writeUInt16LE(records.readUInt16LE(at + EXTRA_LENGTH_AT) + field.length, at + EXTRA_LENGTH_AT);
      parts.push(field);
    }
    at = end;
  }
  return Buffer.concat(parts);
}

/** Where a central record says how long its extra fields are; Vessel writes no comments, so they are its end. */
const EXTRA_LENGTH_AT = 30;
