import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { getFileNameLowLevel, openPromise, type Entry, type ZipFile } from 'yauzl';
import { MAX_LINK_BYTES } from '#shared/archive-names.ts';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveCount, ArchiveLimits, ArchiveOptions, ZipInTheMaking } from '../../ports/archiver.ts';
import { makeZip } from './making.ts';
import { checkLink, displayName, NameGuard, unsafe } from './name-guard.ts';
import { FILE_TYPE, FLAG, METHOD } from './zip-format.ts';
import { PIECE_BYTES, type ZipPiece } from './zip-piece.ts';

/** Real content deflates to a thousandth at the very most (zlib's limit is 1:1032); beyond it the header lies. */
const MAX_RATIO = 1100;
const DEFAULT_FILE_MODE = FILE_TYPE.file | 0o644;
const DEFAULT_FOLDER_MODE = FILE_TYPE.folder | 0o755;

type Planned = { readonly entry: Entry; readonly name: Buffer; readonly mode: number };

/**
 * A zip from elsewhere, rewritten in Vessel's own form: UTF-8 names, Unix modes, known methods only. Every name, link and
 * size is judged before the first byte leaves; content is checked against its CRC while it streams.
 */
export async function importZip(path: string, options: ArchiveOptions): Promise<ZipInTheMaking> {
  const zip = await openZip(path);
  try {
    const plan = await inspect(zip, options);
    return makeZip(piecesOf(zip, plan), options);
  } catch (error) {
    zip.close();
    throw zipError(error);
  }
}

/** Counts what a zip holds by its central directory. */
export async function countZip(path: string): Promise<ArchiveCount> {
  const zip = await openZip(path);
  try {
    let entries = 0;
    let files = 0;
    let contentBytes = 0;
    for await (const entry of zip.eachEntry()) {
      entries += 1;
      if (entry.fileNameRaw.at(-1) !== 0x2f) files += 1;
      contentBytes += entry.uncompressedSize;
    }
    return { entries, files, contentBytes };
  } catch (error) {
    throw zipError(error);
  } finally {
    zip.close();
  }
}

async function openZip(path: string): Promise<ZipFile> {
  try {
    // Names stay bytes: yauzl would turn backslashes, which are legal on Linux, into slashes.
    return await openPromise(path, { lazyEntries: true, autoClose: false, decodeStrings: false, validateEntrySizes: true });
  } catch (error) {
    throw zipError(error);
  }
}

/** First pass: the central directory and the targets of links, nothing else. */
async function inspect(zip: ZipFile, limits: ArchiveLimits): Promise<readonly Planned[]> {
  const guard = new NameGuard('own');
  const plan: Planned[] = [];
  let contentBytes = 0;
  for await (const entry of zip.eachEntry()) {
    const name = nameOf(entry);
    const shown = displayName(name);
    if (plan.length >= limits.maxEntries) throw new VesselError('ARCHIVE_TOO_LARGE', `The archive has more than ${limits.maxEntries} entries`, { details: { maxEntries: limits.maxEntries } });
    contentBytes += entry.uncompressedSize;
    if (contentBytes > limits.maxArchiveBytes) throw new VesselError('ARCHIVE_TOO_LARGE', `The archive unpacks to more than ${limits.maxArchiveBytes} bytes at "${shown}"`, { details: { entry: shown, maxArchiveBytes: limits.maxArchiveBytes } });
    if (entry.isEncrypted()) throw new VesselError('ARCHIVE_UNSAFE', `Entry "${shown}" is encrypted`, { hint: 'Unpack it with its password and import the folder.', details: { entry: shown } });
    if (entry.compressionMethod !== METHOD.stored && entry.compressionMethod !== METHOD.deflated) throw new VesselError('ARCHIVE_UNSAFE', `Entry "${shown}" uses a compression that Vessel does not read`, { hint: 'Make the zip again with ordinary (deflate) compression.', details: { entry: shown, method: entry.compressionMethod } });
    if (entry.uncompressedSize > 65_536 && entry.uncompressedSize > entry.compressedSize * MAX_RATIO) throw unsafe(name, 'claims an impossible compression');
    const { isFolder } = guard.check(name);
    const mode = modeOf(entry, name, isFolder);
    if ((mode & FILE_TYPE.mask) === FILE_TYPE.link) {
      if (entry.uncompressedSize > MAX_LINK_BYTES) throw unsafe(name, 'is a link of impossible length');
      checkLink(name, await buffer(await zip.openReadStreamPromise(entry) as Readable));
    }
    plan.push({ entry, name, mode });
  }
  return plan;
}

async function* piecesOf(zip: ZipFile, plan: readonly Planned[]): AsyncGenerator<ZipPiece, ArchiveCount> {
  let files = 0;
  let contentBytes = 0;
  try {
    for (const { entry, name, mode } of plan) {
      if ((mode & FILE_TYPE.mask) === FILE_TYPE.file) { files += 1; contentBytes += entry.uncompressedSize; }
      yield { kind: 'entry', name, utf8: true, mtime: Math.round(entry.getLastModDate({ timezone: 'UTC' }).getTime() / 1000), size: entry.uncompressedSize, crc: entry.crc32, mode };
      let crc = 0;
      for await (const data of inPieces(await zip.openReadStreamPromise(entry) as Readable)) {
        crc = crc32(data, crc);
        yield { kind: 'data', data };
      }
      if (crc !== entry.crc32) throw new VesselError('ARCHIVE_CORRUPT', `Entry "${displayName(name)}" fails its checksum`, { details: { entry: displayName(name) } });
    }
    return { entries: plan.length, files, contentBytes };
  } catch (error) {
    throw zipError(error);
  } finally {
    zip.close();
  }
}

/** Chunks joined to whole pieces, so that equal content is encoded equally however it arrived. */
export async function* inPieces(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    parts.push(chunk);
    bytes += chunk.length;
    while (bytes >= PIECE_BYTES) {
      const whole = Buffer.concat(parts);
      yield whole.subarray(0, PIECE_BYTES);
      parts = [whole.subarray(PIECE_BYTES)];
      bytes -= PIECE_BYTES;
    }
  }
  if (bytes > 0) yield Buffer.concat(parts);
}

/** The name in UTF-8. Without the flag it is UTF-8 if it reads as such (most tools write it so), else code page 437. */
function nameOf(entry: Entry): Buffer {
  const raw = entry.fileNameRaw;
  if ((entry.generalPurposeBitFlag & FLAG.utf8) !== 0 || raw.equals(Buffer.from(raw.toString('utf8'), 'utf8'))) return raw;
  return Buffer.from(getFileNameLowLevel(entry.generalPurposeBitFlag, raw, entry.extraFields, true), 'utf8');
}

function modeOf(entry: Entry, name: Buffer, isFolder: boolean): number {
  const madeByUnix = entry.versionMadeBy >>> 8 === 3;
  const mode = madeByUnix ? entry.externalFileAttributes >>> 16 : 0;
  const type = mode & FILE_TYPE.mask;
  if (isFolder) return type === FILE_TYPE.folder ? mode : DEFAULT_FOLDER_MODE;
  if (type === 0) return mode === 0 ? DEFAULT_FILE_MODE : FILE_TYPE.file | mode;
  if (type !== FILE_TYPE.file && type !== FILE_TYPE.link) throw unsafe(name, 'is neither file, folder nor link');
  return mode;
}

/** yauzl's complaints are about the archive, so they are not defects of Vessel. */
function zipError(error: unknown): VesselError {
  const known = VesselError.from(error);
  return known.code === 'INTERNAL' ? new VesselError('ARCHIVE_CORRUPT', `The zip cannot be read: ${known.message}`, { cause: error, hint: 'Make the zip again; this one is damaged or not a zip.' }) : known;
}
