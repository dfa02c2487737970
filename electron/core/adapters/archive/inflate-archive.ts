import { open, type FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveCount, ArchiveOptions, ZipInTheMaking } from '../../ports/archiver.ts';
import { ByteReader } from './byte-reader.ts';
import { inPieces } from './import-zip.ts';
import { makeZip } from './making.ts';
import { displayName } from './name-guard.ts';
import { CENTRAL_BYTES, centralLength, END64_BYTES, END_BYTES, FILE_TYPE, FLAG, LOCAL_BYTES, LOCATOR64_BYTES, METHOD, readExtra, SIGNATURE, U16, U32 } from './zip-format.ts';
import { PIECE_BYTES, type ZipPiece } from './zip-piece.ts';

type Central = { readonly name: Buffer; readonly utf8: boolean; readonly method: number; readonly crc: number; readonly compressedSize: number; readonly size: number; readonly mtime: number; readonly offset: number; readonly mode: number };

/**
 * One of Vessel's own archives as a stored zip: an emulated guest inflates many times slower than the desktop, so the guest
 * only has to write. Read front to back in one pass with bounded memory; every entry is checked against its CRC.
 * Throws ARCHIVE_CORRUPT.
 */
export async function inflateArchive(path: string, options: Pick<ArchiveOptions, 'signal' | 'onProgress'>): Promise<ZipInTheMaking> {
  const file = await open(path, 'r');
  try {
    const directory = await readDirectory(file);
    return makeZip(piecesOf(file, directory), options, { deflate: false });
  } catch (error) {
    await file.close();
    throw archiveError(error);
  }
}

type Directory = { readonly entries: number; readonly bytes: Buffer };

/** The central directory; Vessel writes no comment, so the end record is exactly the end of the file. */
async function readDirectory(file: FileHandle): Promise<Directory> {
  const { size } = await file.stat();
  if (size < END_BYTES) throw corrupt('it is too short');
  const end = await readAt(file, size - END_BYTES, END_BYTES);
  if (end.readUInt32LE(0) !== SIGNATURE.end) throw corrupt('its end is missing');
  let entries = end.readUInt16LE(10);
  let length = end.readUInt32LE(12);
  let offset = end.readUInt32LE(16);
  if (entries === U16 || length === U32 || offset === U32) {
    const end64 = await readAt(file, size - END_BYTES - LOCATOR64_BYTES - END64_BYTES, END64_BYTES);
    if (end64.readUInt32LE(0) !== SIGNATURE.end64) throw corrupt('its Zip64 end is missing');
    entries = Number(end64.readBigUInt64LE(32));
    length = Number(end64.readBigUInt64LE(40));
    offset = Number(end64.readBigUInt64LE(48));
  }
  if (offset + length > size) throw corrupt('its directory lies outside of it');
  return { entries, bytes: await readAt(file, offset, length) };
}

async function* piecesOf(file: FileHandle, { entries, bytes }: Directory): AsyncGenerator<ZipPiece, ArchiveCount> {
  const reader = new ByteReader(file.createReadStream({ start: 0, autoClose: false, highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>);
  let files = 0;
  let contentBytes = 0;
  try {
    let at = 0;
    for (let index = 0; index < entries; index += 1) {
      const entry = readCentral(bytes, at);
      at += centralLength(bytes, at);
      if ((entry.mode & FILE_TYPE.mask) === FILE_TYPE.file) { files += 1; contentBytes += entry.size; }
      yield { kind: 'entry', name: entry.name, utf8: entry.utf8, mtime: entry.mtime, size: entry.size, crc: entry.crc, mode: entry.mode };
      await skipTo(reader, entry);
      let crc = 0;
      let size = 0;
      for await (const data of contentOf(reader, entry)) {
        crc = crc32(data, crc);
        size += data.length;
        yield { kind: 'data', data };
      }
      if (crc !== entry.crc || size !== entry.size) throw corrupt(`entry "${displayName(entry.name)}" fails its checksum`);
    }
    return { entries, files, contentBytes };
  } catch (error) {
    throw archiveError(error);
  } finally {
    await file.close();
  }
}

function readCentral(bytes: Buffer, at: number): Central {
  if (at + CENTRAL_BYTES > bytes.length || bytes.readUInt32LE(at) !== SIGNATURE.central || at + centralLength(bytes, at) > bytes.length) throw corrupt('its directory is incomplete');
  const nameEnd = at + CENTRAL_BYTES + bytes.readUInt16LE(at + 28);
  const name = bytes.subarray(at + CENTRAL_BYTES, nameEnd);
  const extra = readExtra(bytes.subarray(nameEnd, nameEnd + bytes.readUInt16LE(at + 30)));
  if (extra === null) throw corrupt(`entry "${displayName(name)}" has a malformed extra field`);
  const wide = [...extra.wide];
  const number = (position: number): number => { const value = bytes.readUInt32LE(at + position); return value === U32 ? wide.shift() ?? value : value; };
  // In this order: it is the order of the Zip64 field.
  const size = number(24);
  const compressedSize = number(20);
  const offset = number(42);
  return {
    name, utf8: (bytes.readUInt16LE(at + 8) & FLAG.utf8) !== 0, method: bytes.readUInt16LE(at + 10), crc: bytes.readUInt32LE(at + 16),
    size, compressedSize, offset, mtime: extra.mtime ?? 0, mode: bytes.readUInt32LE(at + 38) >>> 16,
  };
}

/** Past the descriptor of the entry before and the local header of this one. */
async function skipTo(reader: ByteReader, entry: Central): Promise<void> {
  const gap = entry.offset - reader.position;
  if (gap < 0 || gap > PIECE_BYTES) throw corrupt(`entry "${displayName(entry.name)}" is not where the directory says`);
  await reader.take(gap);
  const header = await reader.take(LOCAL_BYTES);
  if (header.readUInt32LE(0) !== SIGNATURE.local) throw corrupt(`entry "${displayName(entry.name)}" has no header`);
  await reader.take(header.readUInt16LE(26) + header.readUInt16LE(28));
}

async function* contentOf(reader: ByteReader, entry: Central): AsyncGenerator<Buffer> {
  const raw = async function* (): AsyncGenerator<Buffer> {
    for (let left = entry.compressedSize; left > 0;) { const part = await reader.take(Math.min(left, PIECE_BYTES)); left -= part.length; yield part; }
  };
  if (entry.method === METHOD.stored) { yield* raw(); return; }
  if (entry.size <= PIECE_BYTES) {
    const content = inflateRawSync(await reader.take(entry.compressedSize), { maxOutputLength: Math.max(1, entry.size), chunkSize: Math.max(64, entry.size) });
    if (content.length > 0) yield content;
    return;
  }
  const inflate = createInflateRaw({ chunkSize: 256 * 1024 });
  // A failing source must fail the reader as well; the callback has nothing left to do.
  pipeline(Readable.from(raw(), { objectMode: false }), inflate, () => undefined);
  yield* inPieces(inflate as AsyncIterable<Buffer>);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  if (position < 0) throw corrupt('it is too short');
  const bytes = Buffer.alloc(length);
  for (let have = 0; have < length;) {
    const { bytesRead } = await file.read(bytes, have, length - have, position + have);
    if (bytesRead === 0) throw corrupt('it is too short');
    have += bytesRead;
  }
  return bytes;
}

function corrupt(problem: string): VesselError { return new VesselError('ARCHIVE_CORRUPT', `The archive is damaged: ${problem}`); }

/** zlib's complaints are about the archive, not defects of Vessel. */
function archiveError(error: unknown): VesselError {
  const known = VesselError.from(error);
  return known.code === 'INTERNAL' ? new VesselError('ARCHIVE_CORRUPT', `The archive is damaged: ${known.message}`, { cause: error }) : known;
}
