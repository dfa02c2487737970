import { isUtf8 } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { EXTRA_OWNER, EXTRA_VESSEL, NO_ATTRIBUTES, readAttributes, readOwner, type EntryAttributes, type Owner } from '#shared/archive-fields.ts';
import { withSlashes } from '#shared/archive-names.ts';
import { decodeCp437 } from '#shared/cp437.ts';
import { VesselError } from '#shared/errors.ts';
import { readAt } from './directory-reader.ts';
import { CENTRAL_BYTES, END64_BYTES, END_BYTES, EXTRA, FILE_TYPE, LOCATOR64_BYTES, MADE_BY, SIGNATURE, U16, U32 } from './zip-format.ts';

/**
 * The table of contents of a zip that any program may have made, read as Info-ZIP reads it: bytes in front of the archive (a program that
 * unpacks itself) and behind it are passed over, and names, modes and times are looked for in all the places where the makers put them.
 * Nothing in it is trusted yet.
 */
export type ForeignDirectory = {
  readonly entries: readonly ForeignEntry[];
  /** Where the directory begins: no content of an entry reaches further. */
  readonly start: number;
};

export type ForeignEntry = {
  /** As Unix writes it, a closing slash kept; UTF-8 unless a maker on Unix used something else. */
  readonly name: Buffer;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Of the local header, from the beginning of the file. */
  readonly offset: number;
  /** Bytes that the local header takes at least. */
  readonly headerBytes: number;
  /** st_mode, or 0 when the maker knew none. */
  readonly mode: number;
  readonly madeByUnix: boolean;
  /** The attribute of DOS: a folder, whatever its name ends with. */
  readonly dosFolder: boolean;
  /** Unix seconds. */
  readonly mtime: number;
  /** Has the form in which Vessel itself writes entries. It decides nothing about safety, since anybody can write that form. */
  readonly ownForm: boolean;
  /** What Vessel's own fields say, should the whole archive be of its form. */
  readonly owner: Owner | null;
  readonly attributes: EntryAttributes;
};

/** How far behind the end record something may follow: its comment and the garbage of a transfer. Info-ZIP looks as far. */
const TAIL_BYTES = 66_000 + END_BYTES;
/** Half a million entries with long names and extra fields take a fifth of it. */
const MAX_TABLE_BYTES = 512 * 1024 * 1024;
const MADE_BY_UNIX: readonly number[] = [3, 19];
const DOS_FOLDER = 0x10;
/** NTFS times count 100 ns from 1601; this is the Unix epoch in seconds. */
const NTFS_EPOCH_SECONDS = 11_644_473_600;

const corrupt = (problem: string): VesselError => new VesselError('ARCHIVE_CORRUPT', `The zip cannot be read: ${problem}`, { hint: 'Make the zip again; this one is damaged or not a zip.' });

/** Throws ARCHIVE_CORRUPT, and ARCHIVE_TOO_LARGE for more than `maxEntries`. */
export async function readForeignDirectory(file: FileHandle, maxEntries: number): Promise<ForeignDirectory> {
  const { size: fileBytes } = await file.stat();
  const end = await findEnd(file, fileBytes);
  if (end.entries > maxEntries) throw new VesselError('ARCHIVE_TOO_LARGE', `The archive has more than ${maxEntries} entries`, { details: { entries: end.entries, maxEntries } });
  if (end.bytes > MAX_TABLE_BYTES) throw new VesselError('ARCHIVE_TOO_LARGE', `The archive's table of contents has ${end.bytes} bytes`, { details: { bytes: end.bytes, maxBytes: MAX_TABLE_BYTES } });
  if (end.bytes < end.entries * CENTRAL_BYTES) throw corrupt('its table of contents is cut off');
  const table = await readAt(file, end.start, end.bytes);
  const entries: ForeignEntry[] = [];
  for (let at = 0; entries.length < end.entries;) {
    if (at + CENTRAL_BYTES > table.length || table.readUInt32LE(at) !== SIGNATURE.central) throw corrupt('its table of contents is damaged');
    const next = at + CENTRAL_BYTES + table.readUInt16LE(at + 28) + table.readUInt16LE(at + 30) + table.readUInt16LE(at + 32);
    if (next > table.length) throw corrupt('its table of contents is damaged');
    entries.push(readEntry(table.subarray(at, next), end.prefix));
    at = next;
  }
  return { entries, start: end.start };
}

type End = { readonly entries: number; readonly bytes: number; /** Where the directory begins. */ readonly start: number; /** Bytes in front of the archive. */ readonly prefix: number };

/** The last end record whose directory is where it says, give or take what stands in front of the archive. */
async function findEnd(file: FileHandle, fileBytes: number): Promise<End> {
  const tail = await readAt(file, Math.max(0, fileBytes - TAIL_BYTES), Math.min(fileBytes, TAIL_BYTES));
  const tailStart = fileBytes - tail.length;
  let problem = 'it has no end, or is no zip at all';
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== SIGNATURE.end || at + END_BYTES + tail.readUInt16LE(at + 20) > tail.length) continue;
    if (tail.readUInt16LE(at + 4) !== 0 && tail.readUInt16LE(at + 4) !== U16) { problem = 'it is one of several parts'; continue; }
    const found = await readEnd(file, tail.subarray(at, at + END_BYTES), tailStart + at);
    if (typeof found !== 'string') return found;
    problem = found;
  }
  throw corrupt(problem);
}

async function readEnd(file: FileHandle, end: Buffer, endAt: number): Promise<End | string> {
  let entries = end.readUInt16LE(10);
  let bytes = end.readUInt32LE(12);
  let offset = end.readUInt32LE(16);
  let behind = endAt;
  if (entries === U16 || bytes === U32 || offset === U32) {
    const at = await findEnd64(file, endAt);
    if (at !== null) {
      const end64 = await readAt(file, at, END64_BYTES);
      entries = Number(end64.readBigUInt64LE(32));
      bytes = Number(end64.readBigUInt64LE(40));
      offset = Number(end64.readBigUInt64LE(48));
      behind = at;
    } else if (bytes === U32 || offset === U32) return 'its Zip64 end is missing';
  }
  const start = behind - bytes;
  const prefix = start - offset;
  if (![entries, bytes, offset].every(Number.isSafeInteger) || start < 0 || prefix < 0) return 'its table of contents is not where it says';
  if (entries > 0 && (bytes < CENTRAL_BYTES || (await readAt(file, start, 4)).readUInt32LE(0) !== SIGNATURE.central)) return 'its table of contents is not where it says';
  return { entries, bytes, start, prefix };
}

/** The Zip64 end record: right before its locator as every maker writes it, else where the locator says. */
async function findEnd64(file: FileHandle, endAt: number): Promise<number | null> {
  const locatorAt = endAt - LOCATOR64_BYTES;
  if (locatorAt < END64_BYTES) return null;
  const locator = await readAt(file, locatorAt, LOCATOR64_BYTES);
  if (locator.readUInt32LE(0) !== SIGNATURE.locator64) return null;
  for (const at of [locatorAt - END64_BYTES, Number(locator.readBigUInt64LE(8))]) {
    if (at >= 0 && at + END64_BYTES <= locatorAt && (await readAt(file, at, 4)).readUInt32LE(0) === SIGNATURE.end64) return at;
  }
  return null;
}

function readEntry(record: Buffer, prefix: number): ForeignEntry {
  const raw = record.subarray(CENTRAL_BYTES, CENTRAL_BYTES + record.readUInt16LE(28));
  const madeBy = record.readUInt16LE(4);
  const system = madeBy >>> 8;
  const flags = record.readUInt16LE(8);
  const attributes = record.readUInt32LE(38);
  const extra = readExtras(record.subarray(CENTRAL_BYTES + raw.length, CENTRAL_BYTES + raw.length + record.readUInt16LE(30)), raw, [record.readUInt32LE(24), record.readUInt32LE(20), record.readUInt32LE(42)]);
  const madeByUnix = MADE_BY_UNIX.includes(system);
  const [size = 0, compressedSize = 0, offset = 0] = extra.numbers;
  return {
    name: nameOf(extra.unicodeName, raw, system, madeByUnix), flags, method: record.readUInt16LE(10), crc: record.readUInt32LE(16),
    size, compressedSize, offset: offset + prefix, headerBytes: 30 + raw.length,
    mode: modeOf(attributes, madeByUnix), madeByUnix, dosFolder: !madeByUnix && (attributes & DOS_FOLDER) !== 0,
    mtime: extra.mtime ?? dosTime(record.readUInt16LE(12), record.readUInt16LE(14)),
    ownForm: madeBy === MADE_BY && extra.plainTime, owner: extra.owner, attributes: extra.attributes,
  };
}

/** Python and others say DOS and give a mode all the same: one that names a file or a folder is taken for what it says. */
function modeOf(attributes: number, madeByUnix: boolean): number {
  const mode = attributes >>> 16;
  const type = mode & FILE_TYPE.mask;
  return madeByUnix || type === FILE_TYPE.file || type === FILE_TYPE.folder ? mode : 0;
}

type Extras = {
  /** Size, compressed size, offset. */
  readonly numbers: readonly number[];
  readonly mtime: number | null;
  readonly unicodeName: Buffer | null;
  readonly plainTime: boolean;
  readonly owner: Owner | null;
  readonly attributes: EntryAttributes;
};

function readExtras(bytes: Buffer, raw: Buffer, numbers: readonly number[]): Extras {
  let widened = numbers;
  let mtime: number | null = null;
  let ntfsTime: number | null = null;
  let unicodeName: Buffer | null = null;
  let plainTime = false;
  let owner: Owner | null = null;
  let attributes = NO_ATTRIBUTES;
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes.readUInt16LE(at + 2);
    const field = bytes.subarray(at + 4, at + 4 + length);
    // What is cut off is the padding of some makers.
    if (field.length < length) break;
    switch (bytes.readUInt16LE(at)) {
      case EXTRA.zip64: widened = widen(numbers, field); break;
      case EXTRA.unixTime:
        if (length < 5 || ((field[0] ?? 0) & 1) === 0) break;
        mtime = field.readInt32LE(1);
        plainTime = length === 5 && field[0] === 1;
        break;
      case EXTRA.ntfs:
        if (length >= 32 && field.readUInt16LE(4) === 1) ntfsTime = Number(field.readBigUInt64LE(8) / 10_000_000n) - NTFS_EPOCH_SECONDS;
        break;
      case EXTRA.unicodePath:
        // Its checksum tells whether the plain name was changed since by a program that does not know this field.
        if (length > 5 && field[0] === 1 && field.readUInt32LE(1) === crc32(raw) && isUtf8(field.subarray(5))) unicodeName = field.subarray(5);
        break;
      case EXTRA_OWNER: owner = readOwner(field); break;
      case EXTRA_VESSEL: attributes = readAttributes(field) ?? NO_ATTRIBUTES; break;
      default:
    }
    at += 4 + length;
  }
  return { numbers: widened, mtime: mtime ?? ntfsTime, unicodeName, plainTime, owner, attributes };
}

/** Zip64: each number that is all ones is found, in order, in the field. */
function widen(numbers: readonly number[], field: Buffer): readonly number[] {
  let at = 0;
  return numbers.map((value) => {
    if (value !== U32) return value;
    if (at + 8 > field.length) throw corrupt('a Zip64 field is cut off');
    const wide = Number(field.readBigUInt64LE(at));
    if (!Number.isSafeInteger(wide)) throw corrupt('a size or offset is beyond any file');
    at += 8;
    return wide;
  });
}

function nameOf(unicodeName: Buffer | null, raw: Buffer, system: number, madeByUnix: boolean): Buffer {
  if (unicodeName !== null) return slashed(unicodeName, system);
  // Without the flag, too: most makers write UTF-8 and do not say so. On Unix a name is the bytes of the file system, whatever they mean.
  if (madeByUnix || isUtf8(raw)) return slashed(raw, system);
  return slashed(Buffer.from(decodeCp437(raw), 'utf8'), system);
}

const slashed = (name: Buffer, system: number): Buffer => Buffer.from(withSlashes(name.toString('latin1'), system), 'latin1');

/** DOS times have no zone: as everywhere, they are taken for this computer's. */
function dosTime(time: number, date: number): number {
  if (date === 0) return 0;
  return Math.max(0, Math.trunc(new Date(1980 + (date >>> 9), ((date >>> 5) & 15) - 1, date & 31, time >>> 11, (time >>> 5) & 63, (time & 31) * 2).getTime() / 1000));
}
