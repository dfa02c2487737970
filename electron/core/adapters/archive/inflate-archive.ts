import { open, type FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import type { ArchiveCount, ArchiveOptions, ZipInTheMaking } from '../../ports/archiver.ts';
import { ByteReader } from './byte-reader.ts';
import { makeZip } from './making.ts';
import { archiveError, corrupt, readCentral, readDirectory, type Central, type Directory } from './directory-reader.ts';
import { displayName } from './name-guard.ts';
import { centralLength, FILE_TYPE, LOCAL_BYTES, METHOD, SIGNATURE } from './zip-format.ts';
import { inPieces, PIECE_BYTES, type ZipPiece } from './zip-piece.ts';

/**
 * One of Vessel's own archives as a stored zip (holes in frames): an emulated guest inflates many times slower than the desktop, so the guest
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
      yield { kind: 'entry', name: entry.name, utf8: entry.utf8, mtime: entry.mtime, size: entry.size, crc: entry.crc, mode: entry.mode, owner: entry.owner, attributes: entry.attributes, sparse: entry.attributes.sparse };
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
