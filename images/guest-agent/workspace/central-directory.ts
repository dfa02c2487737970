import { isUtf8 } from 'node:buffer';
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { NO_ATTRIBUTES, readAttributes, readOwner, type EntryAttributes, type Owner } from '#shared/archive-fields.ts';
import { withSlashes } from '#shared/archive-names.ts';
import { decodeCp437 } from '#shared/cp437.ts';
import { VesselError } from '#shared/vessel-error.ts';
import { fromBytes, type RawPath } from './paths.ts';
import * as zip from './zip-format.ts';

/** One entry as the central directory describes it; nothing here is trusted yet. */
export type ZipEntry = {
  /** The name as written, a trailing slash kept. */
  readonly name: RawPath;
  /** The name's bytes in the archive, to compare with the local header. */
  readonly nameBytes: Buffer;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly offset: number;
  /** st_mode when the archive comes from Unix, else 0. */
  readonly mode: number;
  /** Unix ms with up to 100 ns grain; null when the archive tells no exact time. */
  readonly mtimeMs: number | null;
  /** Null: the archive names none. */
  readonly owner: Owner | null;
  readonly attributes: EntryAttributes;
};

export type CentralDirectory = { readonly entries: readonly ZipEntry[]; /** Where the entries' data must end. */ readonly start: number };

const corrupt = (message: string): VesselError => new VesselError('ARCHIVE_CORRUPT', message);

export function readFully(fd: number, buffer: Buffer, position: number): void {
  for (let done = 0; done < buffer.length;) {
    const count = readSync(fd, buffer, done, buffer.length - done, position + done);
    if (count === 0) throw corrupt('the archive ends too early');
    done += count;
  }
}

function toSafeNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt('a size or offset is beyond any file');
  return Number(value);
}

type End = { readonly entries: number; readonly size: number; readonly offset: number };

function readEnd(fd: number, fileBytes: number): End {
  const tail = Buffer.alloc(Math.min(fileBytes, zip.END_BYTES + zip.MAX_COMMENT_BYTES));
  const tailStart = fileBytes - tail.length;
  readFully(fd, tail, tailStart);
  let at = tail.length - zip.END_BYTES;
  while (at >= 0 && !(tail.readUInt32LE(at) === zip.END_SIGNATURE && tail.readUInt16LE(at + 20) === tail.length - at - zip.END_BYTES)) at -= 1;
  if (at < 0) throw corrupt('this is not a zip archive, or its end is missing');
  const plain: End = { entries: tail.readUInt16LE(at + 10), size: tail.readUInt32LE(at + 12), offset: tail.readUInt32LE(at + 16) };
  if (tail.readUInt16LE(at + 4) !== 0 && tail.readUInt16LE(at + 4) !== zip.LIMIT_16) throw corrupt('archives in several parts are not supported');
  const locatorAt = tailStart + at - zip.END64_LOCATOR_BYTES;
  const needs64 = plain.entries === zip.LIMIT_16 || plain.size === zip.LIMIT_32 || plain.offset === zip.LIMIT_32;
  if (locatorAt >= 0) {
    const locator = Buffer.alloc(zip.END64_LOCATOR_BYTES);
    readFully(fd, locator, locatorAt);
    if (locator.readUInt32LE(0) === zip.END64_LOCATOR_SIGNATURE) {
      const endAt = toSafeNumber(locator.readBigUInt64LE(8));
      if (endAt + zip.END64_BYTES > locatorAt) throw corrupt('the zip64 end record is misplaced');
      const end = Buffer.alloc(zip.END64_BYTES);
      readFully(fd, end, endAt);
      if (end.readUInt32LE(0) !== zip.END64_SIGNATURE) throw corrupt('the zip64 end record is missing');
      const found = { entries: toSafeNumber(end.readBigUInt64LE(32)), size: toSafeNumber(end.readBigUInt64LE(40)), offset: toSafeNumber(end.readBigUInt64LE(48)) };
      if (found.offset + found.size > endAt) throw corrupt('the central directory overlaps its end record');
      return found;
    }
  }
  if (needs64) throw corrupt('the zip64 end record is missing');
  if (plain.offset + plain.size !== tailStart + at) throw corrupt('the central directory is not where the archive says');
  return plain;
}

/** What the extra fields add to the fixed part of an entry. */
type Extras = { size: number; compressedSize: number; offset: number; mtimeMs: number | null; unicodeName: Buffer | null; owner: Owner | null; attributes: EntryAttributes };

function readZip64(extra: Buffer, extras: Extras): void {
  let at = 0;
  const next = (): number => {
    if (at + 8 > extra.length) throw corrupt('a zip64 field is cut off');
    at += 8;
    return toSafeNumber(extra.readBigUInt64LE(at - 8));
  };
  if (extras.size === zip.LIMIT_32) extras.size = next();
  if (extras.compressedSize === zip.LIMIT_32) extras.compressedSize = next();
  if (extras.offset === zip.LIMIT_32) extras.offset = next();
}

function readExtras(data: Buffer, nameBytes: Buffer, extras: Extras): void {
  for (let at = 0; at + 4 <= data.length;) {
    const id = data.readUInt16LE(at);
    const length = data.readUInt16LE(at + 2);
    const field = data.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    if (field.length < length) return; // A cut-off field is padding of some writers.
    if (id === zip.EXTRA_ZIP64) readZip64(field, extras);
    else if (id === zip.EXTRA_TIMESTAMP && length >= 5 && ((field[0] ?? 0) & 1) === 1) extras.mtimeMs ??= field.readInt32LE(1) * 1000;
    else if (id === zip.EXTRA_NTFS && length >= 32 && field.readUInt16LE(4) === 1) {
      const ticks = field.readBigUInt64LE(8);
      extras.mtimeMs = (Number(ticks / 10_000_000n) - zip.NTFS_EPOCH_SECONDS) * 1000 + Number(ticks % 10_000_000n) / 10_000;
    } else if (id === zip.EXTRA_UNICODE_PATH && length > 5 && field[0] === 1 && field.readUInt32LE(1) === crc32(nameBytes)) extras.unicodeName = field.subarray(5);
    else if (id === zip.EXTRA_OWNER) extras.owner = readOwner(field);
    else if (id === zip.EXTRA_VESSEL) {
      const attributes = readAttributes(field);
      if (attributes === null) throw corrupt('a field of attributes is damaged');
      extras.attributes = attributes;
    }
  }
}

function decodeName(bytes: Buffer, flags: number, madeBy: number): RawPath {
  if (isUtf8(bytes)) return withSlashes(bytes.toString('utf8'), madeBy);
  if ((flags & zip.FLAG_UTF8) !== 0) throw corrupt('a name is marked UTF-8 and is not');
  // Unix writers store the bytes of the file system; the format's own encoding is code page 437.
  return madeBy === zip.MADE_BY_UNIX || madeBy === zip.MADE_BY_DARWIN ? bytes : withSlashes(decodeCp437(bytes), madeBy);
}

/** Reads the table of contents. Throws ARCHIVE_CORRUPT, or ARCHIVE_TOO_LARGE when it lists more than `maxEntries`. */
export function readCentralDirectory(fd: number, fileBytes: number, maxEntries: number): CentralDirectory {
  if (fileBytes < zip.END_BYTES) throw corrupt('this is not a zip archive');
  const end = readEnd(fd, fileBytes);
  if (end.entries > maxEntries) throw new VesselError('ARCHIVE_TOO_LARGE', `the archive lists ${end.entries} entries, the limit is ${maxEntries}`, { details: { entries: end.entries, maxEntries } });
  if (end.offset + end.size > fileBytes || end.size < end.entries * zip.CENTRAL_BYTES) throw corrupt('the central directory is cut off');
  const table = Buffer.allocUnsafe(end.size);
  readFully(fd, table, end.offset);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let index = 0; index < end.entries; index += 1) {
    if (at + zip.CENTRAL_BYTES > table.length || table.readUInt32LE(at) !== zip.CENTRAL_SIGNATURE) throw corrupt('the central directory is damaged');
    const nameEnd = at + zip.CENTRAL_BYTES + table.readUInt16LE(at + 28);
    const extraEnd = nameEnd + table.readUInt16LE(at + 30);
    const next = extraEnd + table.readUInt16LE(at + 32);
    if (next > table.length) throw corrupt('the central directory is damaged');
    const nameBytes = table.subarray(at + zip.CENTRAL_BYTES, nameEnd);
    const flags = table.readUInt16LE(at + 8);
    const madeBy = table.readUInt8(at + 5);
    const extras: Extras = { compressedSize: table.readUInt32LE(at + 20), size: table.readUInt32LE(at + 24), offset: table.readUInt32LE(at + 42), mtimeMs: null, unicodeName: null, owner: null, attributes: NO_ATTRIBUTES };
    readExtras(table.subarray(nameEnd, extraEnd), nameBytes, extras);
    const unix = madeBy === zip.MADE_BY_UNIX || madeBy === zip.MADE_BY_DARWIN;
    entries.push({
      name: extras.unicodeName === null ? decodeName(nameBytes, flags, madeBy) : fromBytes(extras.unicodeName),
      nameBytes, flags, method: table.readUInt16LE(at + 10), crc: table.readUInt32LE(at + 16),
      compressedSize: extras.compressedSize, size: extras.size, offset: extras.offset,
      mode: unix ? table.readUInt16LE(at + 40) : 0, owner: extras.owner, attributes: extras.attributes,
      mtimeMs: extras.attributes.mtimeUs === null ? extras.mtimeMs : extras.attributes.mtimeUs / 1000,
    });
    at = next;
  }
  return { entries, start: end.offset };
}
