import { attributesLength, EXTRA_OWNER, EXTRA_VESSEL, METHOD_SPARSE, NO_ATTRIBUTES, OWNER_EXTRA_BYTES, readAttributes, readOwner, writeAttributes, writeOwner, type EntryAttributes, type Owner } from '#shared/archive-fields.ts';

/**
 * The parts of the ZIP format that Vessel reads and writes (APPNOTE 6.3.10). All numbers are little-endian.
 * Written archives are made for any reader: UTF-8 names, Unix modes, Zip64 only where a number does not fit.
 */
export const SIGNATURE = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50, descriptor: 0x08074b50 } as const;
export const LOCAL_BYTES = 30;
export const CENTRAL_BYTES = 46;
export const END_BYTES = 22;
export const END64_BYTES = 56;
export const LOCATOR64_BYTES = 20;
export const U16 = 0xffff;
export const U32 = 0xffffffff;
export const FLAG = { encrypted: 0x0001, descriptor: 0x0008, strongEncryption: 0x0040, utf8: 0x0800, maskedHeaders: 0x2000 } as const;
export const METHOD = { stored: 0, deflated: 8, sparse: METHOD_SPARSE } as const;
export const FILE_TYPE = { mask: 0o170000, file: 0o100000, folder: 0o040000, link: 0o120000 } as const;
/** Extra fields: APPNOTE 4.5, and Info-ZIP's extrafld.txt for the time and the path. */
export const EXTRA = { zip64: 0x0001, ntfs: 0x000a, unixTime: 0x5455, unicodePath: 0x7075 } as const;
/** Unix as the maker, format version 4.5 (Zip64): also how Vessel knows an archive of its own, see foreign-directory.ts. */
export const MADE_BY = (3 << 8) | 45;
const MAX_UNIX_TIME = 0x7fffffff;

export type EntryRecord = {
  readonly name: Buffer;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Unix seconds. */
  readonly mtime: number;
  readonly offset: number;
  /** Null or absent: whoever unpacks it. */
  readonly owner?: Owner | null | undefined;
  /** In the central record only. */
  readonly attributes?: EntryAttributes | undefined;
};

export function localHeader(record: EntryRecord, zip64: boolean): Buffer {
  const described = (record.flags & FLAG.descriptor) !== 0;
  const extra = Buffer.concat([zip64 ? zip64Extra([described ? 0 : record.size, described ? 0 : record.compressedSize]) : Buffer.alloc(0), unixTimeExtra(record.mtime), ownerExtra(record.owner)]);
  const header = Buffer.alloc(LOCAL_BYTES);
  header.writeUInt32LE(SIGNATURE.local, 0);
  header.writeUInt16LE(zip64 ? 45 : 20, 4);
  header.writeUInt16LE(record.flags, 6);
  header.writeUInt16LE(record.method, 8);
  writeDosTime(header, 10, record.mtime);
  header.writeUInt32LE(described ? 0 : record.crc, 14);
  header.writeUInt32LE(zip64 ? U32 : described ? 0 : record.compressedSize, 18);
  header.writeUInt32LE(zip64 ? U32 : described ? 0 : record.size, 22);
  header.writeUInt16LE(record.name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, record.name, extra]);
}

/** Follows the data of an entry whose sizes were not known before it. */
export function dataDescriptor(record: Pick<EntryRecord, 'crc' | 'compressedSize' | 'size'>, zip64: boolean): Buffer {
  const bytes = Buffer.alloc(zip64 ? 24 : 16);
  bytes.writeUInt32LE(SIGNATURE.descriptor, 0);
  bytes.writeUInt32LE(record.crc, 4);
  if (zip64) {
    bytes.writeBigUInt64LE(BigInt(record.compressedSize), 8);
    bytes.writeBigUInt64LE(BigInt(record.size), 16);
  } else {
    bytes.writeUInt32LE(record.compressedSize, 8);
    bytes.writeUInt32LE(record.size, 12);
  }
  return bytes;
}

/** The central record; its mode is filled in later by {@link setMode} because a stored stream tells modes only at its end. */
export function centralRecord(record: EntryRecord): Buffer {
  const wide = [record.size, record.compressedSize, record.offset].map((value) => value >= U32);
  const large = [record.size, record.compressedSize, record.offset].filter((_value, index) => wide[index]);
  const extra = Buffer.concat([large.length > 0 ? zip64Extra(large) : Buffer.alloc(0), unixTimeExtra(record.mtime), ownerExtra(record.owner), attributesExtra(record.attributes)]);
  const header = Buffer.alloc(CENTRAL_BYTES);
  header.writeUInt32LE(SIGNATURE.central, 0);
  header.writeUInt16LE(MADE_BY, 4);
  header.writeUInt16LE(large.length > 0 ? 45 : 20, 6);
  header.writeUInt16LE(record.flags, 8);
  header.writeUInt16LE(record.method, 10);
  writeDosTime(header, 12, record.mtime);
  header.writeUInt32LE(record.crc, 16);
  header.writeUInt32LE(wide[1] === true ? U32 : record.compressedSize, 20);
  header.writeUInt32LE(wide[0] === true ? U32 : record.size, 24);
  header.writeUInt16LE(record.name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(wide[2] === true ? U32 : record.offset, 42);
  return Buffer.concat([header, record.name, extra]);
}

/** Writes the Unix mode (and the folder bit that DOS readers want) into a central record that starts at `at`. */
export function setMode(bytes: Buffer, at: number, mode: number): void {
  const folder = (mode & FILE_TYPE.mask) === FILE_TYPE.folder ? 0x10 : 0;
  bytes.writeUInt32LE(((mode << 16) | folder) >>> 0, at + 38);
}

/** Length of the central record that starts at `at`. */
export function centralLength(bytes: Buffer, at: number): number {
  return CENTRAL_BYTES + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
}

export function endOfArchive(entries: number, centralOffset: number, centralBytes: number): Buffer {
  const needs64 = entries >= U16 || centralOffset >= U32 || centralBytes >= U32;
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(SIGNATURE.end, 0);
  end.writeUInt16LE(Math.min(entries, U16), 8);
  end.writeUInt16LE(Math.min(entries, U16), 10);
  end.writeUInt32LE(Math.min(centralBytes, U32), 12);
  end.writeUInt32LE(Math.min(centralOffset, U32), 16);
  if (!needs64) return end;
  const end64 = Buffer.alloc(END64_BYTES);
  end64.writeUInt32LE(SIGNATURE.end64, 0);
  end64.writeBigUInt64LE(BigInt(END64_BYTES - 12), 4);
  end64.writeUInt16LE(MADE_BY, 12);
  end64.writeUInt16LE(45, 14);
  end64.writeBigUInt64LE(BigInt(entries), 24);
  end64.writeBigUInt64LE(BigInt(entries), 32);
  end64.writeBigUInt64LE(BigInt(centralBytes), 40);
  end64.writeBigUInt64LE(BigInt(centralOffset), 48);
  const locator = Buffer.alloc(LOCATOR64_BYTES);
  locator.writeUInt32LE(SIGNATURE.locator64, 0);
  locator.writeBigUInt64LE(BigInt(centralOffset + centralBytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([end64, locator, end]);
}

export type Extra = { readonly mtime: number | null; readonly wide: readonly number[]; readonly owner: Owner | null; readonly attributes: EntryAttributes };

/** Reads the extra fields Vessel knows; null when the field is malformed. */
export function readExtra(bytes: Buffer): Extra | null {
  let mtime: number | null = null;
  let wide: number[] = [];
  let owner: Owner | null = null;
  let attributes: EntryAttributes | null = NO_ATTRIBUTES;
  for (let at = 0; at < bytes.length;) {
    if (at + 4 > bytes.length) return null;
    const id = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    const end = at + 4 + length;
    if (end > bytes.length) return null;
    if (id === EXTRA.unixTime && length >= 5 && ((bytes[at + 4] ?? 0) & 1) === 1) mtime = bytes.readInt32LE(at + 5);
    if (id === EXTRA.zip64) {
      wide = [];
      for (let field = at + 4; field + 8 <= end; field += 8) wide.push(Number(bytes.readBigUInt64LE(field)));
    }
    if (id === EXTRA_OWNER) {
      owner = readOwner(bytes.subarray(at + 4, end));
      if (owner === null) return null;
    }
    if (id === EXTRA_VESSEL) attributes = readAttributes(bytes.subarray(at + 4, end));
    if (attributes === null) return null;
    at = end;
  }
  return { mtime, wide, owner, attributes };
}

function unixTimeExtra(mtime: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt16LE(EXTRA.unixTime, 0);
  bytes.writeUInt16LE(5, 2);
  bytes[4] = 1;
  bytes.writeInt32LE(Math.min(MAX_UNIX_TIME, Math.max(0, Math.trunc(mtime))), 5);
  return bytes;
}

function ownerExtra(owner: Owner | null | undefined): Buffer {
  const bytes = Buffer.alloc(owner === null || owner === undefined ? 0 : OWNER_EXTRA_BYTES);
  if (owner !== null && owner !== undefined) writeOwner(bytes, 0, owner);
  return bytes;
}

/** The whole extra field; empty when there is nothing to say. */
export function attributesExtra(attributes: EntryAttributes | undefined): Buffer {
  if (attributes === undefined) return Buffer.alloc(0);
  const bytes = Buffer.alloc(attributesLength(attributes));
  writeAttributes(bytes, 0, attributes);
  return bytes;
}

function zip64Extra(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + values.length * 8);
  bytes.writeUInt16LE(EXTRA.zip64, 0);
  bytes.writeUInt16LE(values.length * 8, 2);
  values.forEach((value, index) => bytes.writeBigUInt64LE(BigInt(value), 4 + index * 8));
  return bytes;
}

/** DOS times have no zone; UTC is written so that equal input gives equal bytes everywhere. */
function writeDosTime(bytes: Buffer, at: number, mtime: number): void {
  const date = new Date(Math.min(MAX_UNIX_TIME, Math.max(0, mtime)) * 1000);
  const year = Math.max(1980, date.getUTCFullYear());
  const early = date.getUTCFullYear() < 1980;
  bytes.writeUInt16LE(early ? 0 : (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1), at);
  bytes.writeUInt16LE(early ? 0x21 : ((year - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate(), at + 2);
}
