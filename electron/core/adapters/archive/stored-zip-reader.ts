import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { EntryAttributes, Owner } from '#shared/archive-fields.ts';
import { MAX_LINK_BYTES } from '#shared/archive-names.ts';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveCount, ArchiveLimits } from '../../ports/archiver.ts';
import type { ByteReader } from './byte-reader.ts';
import { displayName, NameGuard, unsafe } from './name-guard.ts';
import { CENTRAL_BYTES, END64_BYTES, END_BYTES, FILE_TYPE, FLAG, LOCAL_BYTES, LOCATOR64_BYTES, METHOD, readExtra, SIGNATURE, U16, U32 } from './zip-format.ts';
import { unframe } from './sparse-pieces.ts';
import { PIECE_BYTES, type ZipPiece } from './zip-piece.ts';

/** Names are kept until the end of a save: together they take what so many entries of more than the usual length would. */
const ENTRY_NAME_BYTES = 128;
const MIN_NAMES_BYTES = 1024 * 1024;

type Header = { readonly name: Buffer; readonly flags: number; readonly crc: number; readonly size: number; readonly mtime: number; readonly owner: Owner | null; readonly method: number; /** What stands in the stream: frames when the content has holes. */ readonly storedBytes: number };

/**
 * Reads the stored zip of a guest (see guest-protocol.ts) as it streams, believing nothing: every header, name, size and
 * CRC is checked, the central directory must repeat the entries exactly and in order, and nothing may follow the end.
 * Throws ARCHIVE_CORRUPT, ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE. Returns what it counted.
 */
export async function* readStoredZip(reader: ByteReader, limits: ArchiveLimits): AsyncGenerator<ZipPiece, ArchiveCount> {
  const guard = new NameGuard('own');
  const seen = createHash('sha256');
  let entries = 0;
  let contentBytes = 0;
  let namesBytes = 0;
  const maxNamesBytes = Math.max(MIN_NAMES_BYTES, limits.maxEntries * ENTRY_NAME_BYTES);
  let signature: number;
  for (;;) {
    const offset = reader.position;
    signature = (await reader.take(4)).readUInt32LE(0);
    if (signature !== SIGNATURE.local) break;
    const header = await readLocal(reader);
    guard.check(header.name);
    entries += 1;
    contentBytes += header.size;
    if (entries > limits.maxEntries) throw new VesselError('ARCHIVE_TOO_LARGE', `The workspace has more than ${limits.maxEntries} entries`, { details: { maxEntries: limits.maxEntries } });
    if (contentBytes > limits.maxArchiveBytes) throw new VesselError('ARCHIVE_TOO_LARGE', `The workspace has more than ${limits.maxArchiveBytes} bytes at "${displayName(header.name)}"`, { details: { maxArchiveBytes: limits.maxArchiveBytes } });
    namesBytes += header.name.length;
    if (namesBytes > maxNamesBytes) throw new VesselError('ARCHIVE_TOO_LARGE', `The names in the workspace take more than ${maxNamesBytes} bytes`, { details: { maxNamesBytes } });
    note(seen, header, offset);
    yield { kind: 'entry', name: header.name, utf8: (header.flags & FLAG.utf8) !== 0, mtime: header.mtime, size: header.size, crc: header.crc, mode: null, owner: header.owner, sparse: header.method === METHOD.sparse };
    yield* header.method === METHOD.sparse ? readFrames(reader, header) : readData(reader, header);
  }
  const centralOffset = reader.position - 4;
  const again = createHash('sha256');
  let files = 0;
  for (let index = 0; index < entries; index += 1) {
    if (signature !== SIGNATURE.central) throw corrupt('the central directory is incomplete', { index });
    const { header, offset, mode, attributes } = await readCentral(reader);
    note(again, header, offset);
    checkMode(header, mode);
    if ((mode & FILE_TYPE.mask) === FILE_TYPE.file) files += 1;
    if (attributes.sparse !== (header.method === METHOD.sparse)) throw corrupt(`entry "${displayName(header.name)}" contradicts itself about holes`);
    yield { kind: 'mode', mode, attributes };
    signature = (await reader.take(4)).readUInt32LE(0);
  }
  if (!seen.digest().equals(again.digest())) throw corrupt('the central directory does not repeat the entries');
  await readEnd(reader, signature, entries, centralOffset);
  return { entries, files, contentBytes };
}

async function readLocal(reader: ByteReader): Promise<Header> {
  const fixed = await reader.take(LOCAL_BYTES - 4);
  const flags = fixed.readUInt16LE(2);
  const nameLength = fixed.readUInt16LE(22);
  const extraLength = fixed.readUInt16LE(24);
  const variable = await reader.take(nameLength + extraLength);
  // A copy: the encoder keeps names until the end, and a slice would keep its whole chunk alive.
  const name = Buffer.from(variable.subarray(0, nameLength));
  const extra = readExtra(variable.subarray(nameLength));
  if (extra === null) throw corrupt(`entry "${displayName(name)}" has a malformed extra field`);
  const method = fixed.readUInt16LE(4);
  if ((flags & ~FLAG.utf8) !== 0 || (method !== METHOD.stored && method !== METHOD.sparse)) throw corrupt(`entry "${displayName(name)}" is not stored plainly`, { flags, method });
  const sizes = widen([fixed.readUInt32LE(18), fixed.readUInt32LE(14)], extra.wide);
  const [size = 0, storedBytes = 0] = sizes ?? [];
  if (sizes === null || (method === METHOD.stored && size !== storedBytes)) throw corrupt(`entry "${displayName(name)}" has contradicting sizes`);
  return { name, flags, crc: fixed.readUInt32LE(10), size, mtime: extra.mtime ?? 0, owner: extra.owner, method, storedBytes };
}

async function readCentral(reader: ByteReader): Promise<{ readonly header: Header; readonly offset: number; readonly mode: number; readonly attributes: EntryAttributes }> {
  const fixed = await reader.take(CENTRAL_BYTES - 4);
  const nameLength = fixed.readUInt16LE(24);
  const extraLength = fixed.readUInt16LE(26);
  const variable = await reader.take(nameLength + extraLength + fixed.readUInt16LE(28));
  const name = variable.subarray(0, nameLength);
  const extra = readExtra(variable.subarray(nameLength, nameLength + extraLength));
  if (extra === null) throw corrupt(`entry "${displayName(name)}" has a malformed extra field`);
  const numbers = widen([fixed.readUInt32LE(20), fixed.readUInt32LE(16), fixed.readUInt32LE(38)], extra.wide);
  if (numbers === null) throw corrupt(`entry "${displayName(name)}" has contradicting sizes`);
  return {
    header: {
      name, flags: fixed.readUInt16LE(4), crc: fixed.readUInt32LE(12), size: numbers[0] ?? 0, mtime: extra.mtime ?? 0, owner: extra.owner,
      method: fixed.readUInt16LE(6), storedBytes: numbers[1] ?? 0,
    },
    offset: numbers[2] ?? 0, mode: fixed.readUInt32LE(34) >>> 16, attributes: extra.attributes,
  };
}

/** Zip64: each number that is all ones is found, in order, in the extra field. Null when it is missing or beyond exact integers. */
function widen(numbers: readonly number[], wide: readonly number[]): readonly number[] | null {
  let next = 0;
  const result = numbers.map((value) => (value === U32 ? wide[next++] : value));
  return result.every((value) => value !== undefined && Number.isSafeInteger(value)) ? (result as number[]) : null;
}

async function* readData(reader: ByteReader, header: Header): AsyncGenerator<ZipPiece> {
  let crc = 0;
  for (let left = header.size; left > 0;) {
    const data = await reader.take(Math.min(left, PIECE_BYTES));
    left -= data.length;
    crc = crc32(data, crc);
    yield { kind: 'data', data };
  }
  if (crc !== header.crc) throw corrupt(`entry "${displayName(header.name)}" fails its checksum`);
}

async function* readFrames(reader: ByteReader, header: Header): AsyncGenerator<ZipPiece> {
  const pieces = unframe(reader, header.storedBytes, header.size);
  let next = await pieces.next();
  for (; next.done !== true; next = await pieces.next()) yield { kind: 'data', data: next.value };
  const { crc, size, consumed } = next.value;
  if (size !== header.size || consumed !== header.storedBytes) throw corrupt(`entry "${displayName(header.name)}" has contradicting sizes`);
  if (crc !== header.crc) throw corrupt(`entry "${displayName(header.name)}" fails its checksum`);
}

function checkMode(header: Header, mode: number): void {
  const type = mode & FILE_TYPE.mask;
  const isFolder = header.name.at(-1) === 0x2f;
  if (type !== FILE_TYPE.file && type !== FILE_TYPE.folder && type !== FILE_TYPE.link) throw unsafe(header.name, 'is neither file, folder nor link');
  if (isFolder !== (type === FILE_TYPE.folder) || (isFolder && header.size > 0) || (type !== FILE_TYPE.file && header.method !== METHOD.stored)) throw corrupt(`entry "${displayName(header.name)}" contradicts its type`);
  if (type === FILE_TYPE.link && (header.size === 0 || header.size > MAX_LINK_BYTES)) throw unsafe(header.name, 'is a link of impossible length');
}

async function readEnd(reader: ByteReader, signature: number, entries: number, centralOffset: number): Promise<void> {
  const centralBytes = reader.position - 4 - centralOffset;
  let next = signature;
  let wide = false;
  if (next === SIGNATURE.end64) {
    const end64 = await reader.take(END64_BYTES - 4);
    if (Number(end64.readBigUInt64LE(28)) !== entries || Number(end64.readBigUInt64LE(44)) !== centralOffset) throw corrupt('the Zip64 end contradicts the entries');
    if ((await reader.take(LOCATOR64_BYTES)).readUInt32LE(0) !== SIGNATURE.locator64) throw corrupt('the Zip64 locator is missing');
    next = (await reader.take(4)).readUInt32LE(0);
    wide = true;
  }
  if (next !== SIGNATURE.end) throw corrupt('the end of the archive is missing');
  const end = await reader.take(END_BYTES - 4);
  const agrees = (value: number, expected: number, limit: number): boolean => value === expected || (wide && value === limit);
  if (!agrees(end.readUInt16LE(6), entries, U16) || !agrees(end.readUInt32LE(12), centralOffset, U32) || !agrees(end.readUInt32LE(8), centralBytes, U32)) throw corrupt('the end of the archive contradicts the entries');
  await reader.take(end.readUInt16LE(16));
  if (!(await reader.atEnd())) throw corrupt('something follows the end of the archive');
}

function note(hash: Hash, header: Header, offset: number): void {
  const { name, crc, size, flags, owner, method, storedBytes } = header;
  hash.update(`${name.length}:${crc}:${size}:${offset}:${flags}:${method}:${storedBytes}:${owner?.uid ?? ''}:${owner?.gid ?? ''}:`).update(name);
}

function corrupt(problem: string, details: Readonly<Record<string, unknown>> = {}): VesselError {
  return new VesselError('ARCHIVE_CORRUPT', `The archive is damaged: ${problem}`, { details });
}
