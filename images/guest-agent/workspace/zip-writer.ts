import { VesselError } from '#shared/vessel-error.ts';
import type { RawPath } from './paths.ts';
import * as zip from './zip-format.ts';

/** Local headers and small files are gathered here; one write to the pipe carries hundreds of them. */
const BUFFER_BYTES = 1024 * 1024;
const TIMESTAMP_EXTRA_BYTES = 9;
const NTFS_EXTRA_BYTES = 36;
const ZIP64_LOCAL_EXTRA_BYTES = 20;
/** Version needed: 2.0 for folders, 4.5 for zip64 [4.4.3.2]. */
const VERSION_PLAIN = 20;
const VERSION_ZIP64 = 45;

export type EntryHead = {
  /** With a trailing slash for folders. */
  readonly name: RawPath;
  readonly size: number;
  readonly crc: number;
  /** st_mode; set-id and sticky bits are dropped. */
  readonly mode: number;
  readonly mtimeMs: number;
};

/** The MS-DOS date and time of the fixed header, in UTC, clamped to what it can hold (1980–2107, 2 s grain). */
function dosTime(mtimeMs: number): number {
  const date = new Date(mtimeMs);
  const year = date.getUTCFullYear();
  if (!(year >= 1980)) return 0x00210000;
  if (year > 2107) return 0xff9fbf7d;
  const day = ((year - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  return ((day << 16) | (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1)) >>> 0;
}

/** Writes a stored zip as a stream: true CRC and sizes stand before each content. `sink` must take all bytes before it returns. */
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

  #writeExtras(target: Buffer, start: number, mtimeMs: number): number {
    const seconds = Math.floor(mtimeMs / 1000);
    let at = start;
    if (seconds >= -(2 ** 31) && seconds < 2 ** 31) {
      target.writeUInt32LE(zip.EXTRA_TIMESTAMP | (5 << 16), at);
      target.writeUInt8(1, at + 4);
      target.writeInt32LE(seconds, at + 5);
      at += TIMESTAMP_EXTRA_BYTES;
    }
    // Rounded, not cut: a time that went through a double must come back to the same 100 ns.
    const ticks = BigInt(seconds + zip.NTFS_EPOCH_SECONDS) * 10_000_000n + BigInt(Math.round((mtimeMs - seconds * 1000) * 10_000));
    target.writeUInt32LE(zip.EXTRA_NTFS | ((NTFS_EXTRA_BYTES - 4) << 16), at);
    target.writeUInt32LE(0, at + 4);
    target.writeUInt32LE(1 | (24 << 16), at + 8);
    for (let field = 0; field < 3; field += 1) target.writeBigUInt64LE(ticks < 0n ? 0n : ticks, at + 12 + field * 8);
    return at + NTFS_EXTRA_BYTES;
  }

  /** Begins an entry; exactly `head.size` bytes of content() must follow. */
  entry(head: EntryHead): void {
    const isText = typeof head.name === 'string';
    const nameBytes = isText ? Buffer.byteLength(head.name as string) : head.name.length;
    if (nameBytes > zip.LIMIT_16) throw new VesselError('INTERNAL', 'a path is too long for a zip');
    const big = head.size >= zip.LIMIT_32;
    this.#reserve(zip.LOCAL_BYTES + nameBytes + TIMESTAMP_EXTRA_BYTES + NTFS_EXTRA_BYTES + ZIP64_LOCAL_EXTRA_BYTES);
    const offset = this.bytes;
    const bigOffset = offset >= zip.LIMIT_32;
    const time = dosTime(head.mtimeMs);
    // Names that are not UTF-8 go out as they are, unmarked, as every Unix zip does.
    const flags = isText ? zip.FLAG_UTF8 : 0;
    const size32 = big ? zip.LIMIT_32 : head.size;

    const local = this.#buffer;
    const at = this.#used;
    local.writeUInt32LE(zip.LOCAL_SIGNATURE, at);
    local.writeUInt16LE(big ? VERSION_ZIP64 : VERSION_PLAIN, at + 4);
    local.writeUInt16LE(flags, at + 6);
    local.writeUInt16LE(zip.METHOD_STORED, at + 8);
    local.writeUInt32LE(time, at + 10);
    local.writeUInt32LE(head.crc, at + 14);
    local.writeUInt32LE(size32, at + 18);
    local.writeUInt32LE(size32, at + 22);
    local.writeUInt16LE(nameBytes, at + 26);
    const nameAt = at + zip.LOCAL_BYTES;
    if (isText) local.write(head.name as string, nameAt, 'utf8');
    else (head.name as Buffer).copy(local, nameAt);
    const extraAt = nameAt + nameBytes;
    const timesEnd = this.#writeExtras(local, extraAt, head.mtimeMs);
    let extraEnd = timesEnd;
    if (big) {
      local.writeUInt32LE(zip.EXTRA_ZIP64 | (16 << 16), extraEnd);
      local.writeBigUInt64LE(BigInt(head.size), extraEnd + 4);
      local.writeBigUInt64LE(BigInt(head.size), extraEnd + 12);
      extraEnd += ZIP64_LOCAL_EXTRA_BYTES;
    }
    local.writeUInt16LE(extraEnd - extraAt, at + 28);
    this.#used = extraEnd;

    const zip64Bytes = (big ? 16 : 0) + (bigOffset ? 8 : 0);
    const extraBytes = timesEnd - extraAt + (zip64Bytes > 0 ? zip64Bytes + 4 : 0);
    const recordBytes = zip.CENTRAL_BYTES + nameBytes + extraBytes;
    const record = this.#centralRoom(recordBytes);
    record.writeUInt32LE(zip.CENTRAL_SIGNATURE, 0);
    const version = zip64Bytes > 0 ? VERSION_ZIP64 : VERSION_PLAIN;
    record.writeUInt16LE(version | (zip.MADE_BY_UNIX << 8), 4);
    record.writeUInt16LE(version, 6);
    record.writeUInt16LE(flags, 8);
    record.writeUInt16LE(zip.METHOD_STORED, 10);
    record.writeUInt32LE(time, 12);
    record.writeUInt32LE(head.crc, 16);
    record.writeUInt32LE(size32, 20);
    record.writeUInt32LE(size32, 24);
    record.writeUInt16LE(nameBytes, 28);
    record.writeUInt16LE(extraBytes, 30);
    record.fill(0, 32, 38); // No comment, first disk, no internal attributes.
    const isFolder = (head.mode & zip.TYPE_MASK) === zip.TYPE_FOLDER;
    // The low byte holds the MS-DOS attributes: 0x10 marks a folder.
    record.writeUInt32LE((((head.mode & (zip.TYPE_MASK | 0o777)) << 16) | (isFolder ? 0x10 : 0)) >>> 0, 38);
    record.writeUInt32LE(bigOffset ? zip.LIMIT_32 : offset, 42);
    local.copy(record, zip.CENTRAL_BYTES, nameAt, timesEnd);
    if (zip64Bytes > 0) {
      let extra = recordBytes - zip64Bytes - 4;
      record.writeUInt32LE(zip.EXTRA_ZIP64 | (zip64Bytes << 16), extra);
      extra += 4;
      if (big) {
        record.writeBigUInt64LE(BigInt(head.size), extra);
        record.writeBigUInt64LE(BigInt(head.size), extra + 8);
        extra += 16;
      }
      if (bigOffset) record.writeBigUInt64LE(BigInt(offset), extra);
    }
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

  /** Writes the table of contents. Returns the archive's size in bytes. */
  finish(): number {
    const start = this.bytes;
    for (const block of [...this.#central, this.#block.subarray(0, this.#blockUsed)]) this.content(block);
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
