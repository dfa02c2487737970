import { attributesLength, METHOD_SPARSE, NO_ATTRIBUTES, OWNER_EXTRA_BYTES, readAttributes, writeAttributes, writeOwner, type EntryAttributes, type ExtendedAttribute, type Owner } from '#shared/archive-fields.ts';
import { VesselError } from '#shared/vessel-error.ts';
import type { RawPath } from './paths.ts';
import * as zip from './zip-format.ts';

/** Local headers and small files are gathered here; one write to the pipe carries hundreds of them. */
const BUFFER_BYTES = 1024 * 1024;
const TIMESTAMP_EXTRA_BYTES = 9;
const ZIP64_LOCAL_EXTRA_BYTES = 20;
/** Version needed: 2.0 for folders, 4.5 for zip64 [4.4.3.2]. */
const VERSION_PLAIN = 20;
const VERSION_ZIP64 = 45;

export type EntryHead = {
  /** With a trailing slash for folders. */
  readonly name: RawPath;
  readonly size: number;
  readonly crc: number;
  /** st_mode. */
  readonly mode: number;
  readonly mtimeMs: number;
  /** Null: the workspace's own user. */
  readonly owner: Owner | null;
  /** Content with holes comes as so many bytes of frames, see METHOD_SPARSE. */
  readonly framedBytes: number | null;
  readonly linkGroup: number | null;
};

/** Up to here a time in whole seconds needs no more than the field that every zip program knows. */
const MAX_PLAIN_SECONDS = 0x7fffffff;

/** The MS-DOS date and time of the fixed header, in UTC, clamped to what it can hold (1980–2107, 2 s grain). */
function dosTime(mtimeMs: number): number {
  const date = new Date(mtimeMs);
  const year = date.getUTCFullYear();
  if (!(year >= 1980)) return 0x00210000;
  if (year > 2107) return 0xff9fbf7d;
  const day = ((year - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  return ((day << 16) | (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1)) >>> 0;
}

/** Writes a stored zip as a stream (content with holes in frames): true CRC and sizes stand before each content. `sink` must take all bytes before it returns. */
export class ZipWriter {
  readonly #sink: (data: Buffer) => void;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;
  #flushed = 0;
  readonly #central: Buffer[] = [];
  #block = Buffer.allocUnsafe(64 * 1024);
  #blockUsed = 0;
  #entries = 0;

  constructor(sink: (data: Buffer) => void) {
    this.#sink = sink;
  }

  /** Bytes written so far, gathered ones included. */
  get bytes(): number {
    return this.#flushed + this.#used;
  }

  #flush(): void {
    if (this.#used === 0) return;
    this.#sink(this.#buffer.subarray(0, this.#used));
    this.#flushed += this.#used;
    this.#used = 0;
  }

  /** Room for `length` bytes in the buffer at its current end. */
  #reserve(length: number): void {
    if (this.#used + length > BUFFER_BYTES) this.#flush();
  }

  /** Content that belongs to the last entry added. */
  content(data: Buffer): void {
    if (data.length > BUFFER_BYTES / 4) {
      this.#flush();
      this.#sink(data);
      this.#flushed += data.length;
      return;
    }
    this.#reserve(data.length);
    data.copy(this.#buffer, this.#used);
    this.#used += data.length;
  }

  #writeExtras(target: Buffer, start: number, seconds: number, owner: Owner | null): number {
    let at = start;
    if (seconds >= -(2 ** 31) && seconds < 2 ** 31) {
      target.writeUInt32LE(zip.EXTRA_TIMESTAMP | (5 << 16), at);
      target.writeUInt8(1, at + 4);
      target.writeInt32LE(seconds, at + 5);
      at += TIMESTAMP_EXTRA_BYTES;
    }
    if (owner !== null) {
      writeOwner(target, at, owner);
      at += OWNER_EXTRA_BYTES;
    }
    return at;
  }

  /** Begins an entry; exactly `head.size` bytes of content() must follow, or `head.framedBytes`. */
  entry(head: EntryHead): void {
    const isText = typeof head.name === 'string';
    const nameBytes = isText ? Buffer.byteLength(head.name as string) : head.name.length;
    if (nameBytes > zip.LIMIT_16) throw new VesselError('INTERNAL', 'a path is too long for a zip');
    const stored = head.framedBytes ?? head.size;
    const big = head.size >= zip.LIMIT_32 || stored >= zip.LIMIT_32;
    const method = head.framedBytes === null ? zip.METHOD_STORED : METHOD_SPARSE;
    // Rounded to what a time that went through a double comes back to.
    const mtimeUs = Math.round(head.mtimeMs * 1000);
    const seconds = Math.floor(mtimeUs / 1e6);
    const exact = mtimeUs === seconds * 1e6 && seconds >= 0 && seconds <= MAX_PLAIN_SECONDS;
    const attributes: EntryAttributes = { mtimeUs: exact ? null : mtimeUs, sparse: head.framedBytes !== null, linkGroup: head.linkGroup, xattrs: [] };
    this.#reserve(zip.LOCAL_BYTES + nameBytes + TIMESTAMP_EXTRA_BYTES + OWNER_EXTRA_BYTES + ZIP64_LOCAL_EXTRA_BYTES);
    const offset = this.bytes;
    const bigOffset = offset >= zip.LIMIT_32;
    const time = dosTime(head.mtimeMs);
    // Names that are not UTF-8 go out as they are, unmarked, as every Unix zip does.
    const flags = isText ? zip.FLAG_UTF8 : 0;
    const size32 = big ? zip.LIMIT_32 : head.size;
    const stored32 = big ? zip.LIMIT_32 : stored;

    const local = this.#buffer;
    const at = this.#used;
    local.writeUInt32LE(zip.LOCAL_SIGNATURE, at);
    local.writeUInt16LE(big ? VERSION_ZIP64 : VERSION_PLAIN, at + 4);
    local.writeUInt16LE(flags, at + 6);
    local.writeUInt16LE(method, at + 8);
    local.writeUInt32LE(time, at + 10);
    local.writeUInt32LE(head.crc, at + 14);
    local.writeUInt32LE(stored32, at + 18);
    local.writeUInt32LE(size32, at + 22);
    local.writeUInt16LE(nameBytes, at + 26);
    const nameAt = at + zip.LOCAL_BYTES;
    if (isText) local.write(head.name as string, nameAt, 'utf8');
    else (head.name as Buffer).copy(local, nameAt);
    const extraAt = nameAt + nameBytes;
    const extrasEnd = this.#writeExtras(local, extraAt, seconds, head.owner);
    let extraEnd = extrasEnd;
    if (big) {
      local.writeUInt32LE(zip.EXTRA_ZIP64 | (16 << 16), extraEnd);
      local.writeBigUInt64LE(BigInt(head.size), extraEnd + 4);
      local.writeBigUInt64LE(BigInt(stored), extraEnd + 12);
      extraEnd += ZIP64_LOCAL_EXTRA_BYTES;
    }
    local.writeUInt16LE(extraEnd - extraAt, at + 28);
    this.#used = extraEnd;

    const zip64Bytes = (big ? 16 : 0) + (bigOffset ? 8 : 0);
    const extraBytes = extrasEnd - extraAt + (zip64Bytes > 0 ? zip64Bytes + 4 : 0) + attributesLength(attributes);
    const recordBytes = zip.CENTRAL_BYTES + nameBytes + extraBytes;
    const record = this.#centralRoom(recordBytes);
    record.writeUInt32LE(zip.CENTRAL_SIGNATURE, 0);
    const version = zip64Bytes > 0 ? VERSION_ZIP64 : VERSION_PLAIN;
    record.writeUInt16LE(version | (zip.MADE_BY_UNIX << 8), 4);
    record.writeUInt16LE(version, 6);
    record.writeUInt16LE(flags, 8);
    record.writeUInt16LE(method, 10);
    record.writeUInt32LE(time, 12);
    record.writeUInt32LE(head.crc, 16);
    record.writeUInt32LE(stored32, 20);
    record.writeUInt32LE(size32, 24);
    record.writeUInt16LE(nameBytes, 28);
    record.writeUInt16LE(extraBytes, 30);
    record.fill(0, 32, 38); // No comment, first disk, no internal attributes.
    const isFolder = (head.mode & zip.TYPE_MASK) === zip.TYPE_FOLDER;
    // The low byte holds the MS-DOS attributes: 0x10 marks a folder.
    record.writeUInt32LE((((head.mode & 0xffff) << 16) | (isFolder ? 0x10 : 0)) >>> 0, 38);
    record.writeUInt32LE(bigOffset ? zip.LIMIT_32 : offset, 42);
    local.copy(record, zip.CENTRAL_BYTES, nameAt, extrasEnd);
    let extra = zip.CENTRAL_BYTES + extrasEnd - nameAt;
    if (zip64Bytes > 0) {
      record.writeUInt32LE(zip.EXTRA_ZIP64 | (zip64Bytes << 16), extra);
      extra += 4;
      if (big) {
        record.writeBigUInt64LE(BigInt(head.size), extra);
        record.writeBigUInt64LE(BigInt(stored), extra + 8);
        extra += 16;
      }
      if (bigOffset) record.writeBigUInt64LE(BigInt(offset), extra);
      extra += bigOffset ? 8 : 0;
    }
    // Last, because extended attributes may be added to it at the end.
    writeAttributes(record, extra, attributes);
    this.#entries += 1;
  }

  #centralRoom(length: number): Buffer {
    if (this.#blockUsed + length > this.#block.length) {
      this.#central.push(this.#block.subarray(0, this.#blockUsed));
      this.#block = Buffer.allocUnsafe(Math.max(64 * 1024, length));
      this.#blockUsed = 0;
    }
    const room = this.#block.subarray(this.#blockUsed, this.#blockUsed + length);
    this.#blockUsed += length;
    return room;
  }

  /** Writes the table of contents, with the extended attributes of entries by their position. Returns the archive's size in bytes. */
  finish(xattrs: ReadonlyMap<number, readonly ExtendedAttribute[]>): number {
    const start = this.bytes;
    const blocks = [...this.#central, this.#block.subarray(0, this.#blockUsed)];
    if (xattrs.size === 0) for (const block of blocks) this.content(block);
    else this.#contentWith(blocks, xattrs);
    const size = this.bytes - start;
    if (this.#entries >= zip.LIMIT_16 || start >= zip.LIMIT_32 || size >= zip.LIMIT_32) this.content(this.#end64(start, size));
    const end = Buffer.alloc(zip.END_BYTES);
    end.writeUInt32LE(zip.END_SIGNATURE, 0);
    const count = Math.min(this.#entries, zip.LIMIT_16);
    end.writeUInt16LE(count, 8);
    end.writeUInt16LE(count, 10);
    end.writeUInt32LE(Math.min(size, zip.LIMIT_32), 12);
    end.writeUInt32LE(Math.min(start, zip.LIMIT_32), 16);
    this.content(end);
    this.#flush();
    return this.bytes;
  }

  #contentWith(blocks: readonly Buffer[], xattrs: ReadonlyMap<number, readonly ExtendedAttribute[]>): void {
    let position = 0;
    for (const block of blocks) {
      for (let at = 0; at < block.length; position += 1) {
        const end = at + zip.CENTRAL_BYTES + block.readUInt16LE(at + 28) + block.readUInt16LE(at + 30);
        const more = xattrs.get(position);
        const record = block.subarray(at, end);
        this.content(more === undefined ? record : withXattrs(record, more));
        at = end;
      }
    }
  }

  #end64(start: number, size: number): Buffer {
    const record = Buffer.alloc(zip.END64_BYTES + zip.END64_LOCATOR_BYTES);
    record.writeUInt32LE(zip.END64_SIGNATURE, 0);
    record.writeBigUInt64LE(BigInt(zip.END64_BYTES - 12), 4);
    record.writeUInt16LE(VERSION_ZIP64 | (zip.MADE_BY_UNIX << 8), 12);
    record.writeUInt16LE(VERSION_ZIP64, 14);
    record.writeBigUInt64LE(BigInt(this.#entries), 24);
    record.writeBigUInt64LE(BigInt(this.#entries), 32);
    record.writeBigUInt64LE(BigInt(size), 40);
    record.writeBigUInt64LE(BigInt(start), 48);
    record.writeUInt32LE(zip.END64_LOCATOR_SIGNATURE, zip.END64_BYTES);
    record.writeBigUInt64LE(BigInt(start + size), zip.END64_BYTES + 8);
    record.writeUInt32LE(1, zip.END64_BYTES + 16);
    return record;
  }
}

/** The record with extended attributes in its last extra field. */
function withXattrs(record: Buffer, xattrs: readonly ExtendedAttribute[]): Buffer {
  const extraAt = zip.CENTRAL_BYTES + record.readUInt16LE(28);
  let at = extraAt;
  while (at < record.length && record.readUInt16LE(at) !== zip.EXTRA_VESSEL) at += 4 + record.readUInt16LE(at + 2);
  const known = at < record.length ? readAttributes(record.subarray(at + 4)) : null;
  const attributes = { ...(known ?? NO_ATTRIBUTES), xattrs };
  const result = Buffer.alloc(at + attributesLength(attributes));
  record.copy(result, 0, 0, at);
  writeAttributes(result, at, attributes);
  result.writeUInt16LE(result.length - extraAt, 30);
  return result;
}
