import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { VesselError } from '#shared/errors.ts';
import { readAt } from './directory-reader.ts';
import type { ForeignEntry } from './foreign-directory.ts';
import { displayName, unsafe } from './name-guard.ts';
import { LOCAL_BYTES, METHOD, SIGNATURE } from './zip-format.ts';
import { inPieces, PIECE_BYTES } from './zip-piece.ts';

/** An entry, and where its bytes must end because another entry's begin. */
export type BoundedEntry = { readonly entry: ForeignEntry; readonly limit: number };

/**
 * Gives each entry the place up to which bytes are its own. Entries that share bytes are how a small zip unpacks to gigabytes. Throws
 * ARCHIVE_UNSAFE naming the entry, ARCHIVE_CORRUPT for one that lies outside.
 */
export function boundEntries(entries: readonly ForeignEntry[], start: number): readonly BoundedEntry[] {
  const sorted = [...entries].sort((a, b) => a.offset - b.offset);
  const limits = new Map<ForeignEntry, number>();
  sorted.forEach((entry, index) => {
    const limit = sorted[index + 1]?.offset ?? start;
    const least = entry.offset + entry.headerBytes + entry.compressedSize;
    if (least > start) throw corruptEntry(entry, 'lies outside the archive');
    if (least > limit) throw unsafe(sorted[index + 1]?.name ?? entry.name, 'overlaps another entry');
    limits.set(entry, limit);
  });
  return entries.map((entry) => ({ entry, limit: limits.get(entry) ?? start }));
}

/** The content in whole pieces, checked against size and CRC. Throws ARCHIVE_CORRUPT, ARCHIVE_UNSAFE naming the entry. */
export async function* contentOf(file: FileHandle, { entry, limit }: BoundedEntry): AsyncGenerator<Buffer> {
  const header = await readAt(file, entry.offset, LOCAL_BYTES);
  if (header.readUInt32LE(0) !== SIGNATURE.local) throw corruptEntry(entry, 'has no header');
  const at = entry.offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (at + entry.compressedSize > limit) throw unsafe(entry.name, 'overlaps another entry');
  let crc = 0;
  let bytes = 0;
  try {
    for await (const data of unpacked(file, entry, at)) {
      bytes += data.length;
      if (bytes > entry.size) throw corruptEntry(entry, 'holds more than it declares');
      crc = crc32(data, crc);
      yield data;
    }
  } catch (error) {
    throw error instanceof VesselError ? error : corruptEntry(entry, `cannot be unpacked: ${VesselError.from(error).message}`, error);
  }
  if (bytes !== entry.size) throw corruptEntry(entry, 'is not as long as declared');
  if (crc !== entry.crc) throw corruptEntry(entry, 'fails its checksum');
}

async function* unpacked(file: FileHandle, entry: ForeignEntry, at: number): AsyncGenerator<Buffer> {
  if (entry.method === METHOD.stored) { yield* rawOf(file, at, entry.compressedSize); return; }
  if (entry.size <= PIECE_BYTES && entry.compressedSize <= PIECE_BYTES) {
    const content = inflateRawSync(await readAt(file, at, entry.compressedSize), { maxOutputLength: Math.max(1, entry.size), chunkSize: Math.max(64, entry.size) });
    if (content.length > 0) yield content;
    return;
  }
  const inflate = createInflateRaw({ chunkSize: 256 * 1024 });
  // A failing source must fail the reader as well; the callback has nothing left to do.
  pipeline(Readable.from(rawOf(file, at, entry.compressedSize), { objectMode: false }), inflate, () => undefined);
  yield* inPieces(inflate as AsyncIterable<Buffer>);
}

async function* rawOf(file: FileHandle, start: number, length: number): AsyncGenerator<Buffer> {
  for (let done = 0; done < length;) {
    const part = await readAt(file, start + done, Math.min(PIECE_BYTES, length - done));
    done += part.length;
    yield part;
  }
}

export function corruptEntry(entry: ForeignEntry, problem: string, cause?: unknown): VesselError {
  const shown = displayName(entry.name);
  return new VesselError('ARCHIVE_CORRUPT', `Entry "${shown}" ${problem}`, { cause, details: { entry: shown, problem } });
}
