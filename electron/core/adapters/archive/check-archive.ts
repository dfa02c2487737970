import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveCount, ArchiveOptions } from '../../ports/archiver.ts';
import { archiveError, corrupt, readCentral, readDirectory, type Central } from './directory-reader.ts';
import { inflateArchive } from './inflate-archive.ts';
import { displayName, NameGuard, unsafe } from './name-guard.ts';
import { centralLength, FILE_TYPE, METHOD } from './zip-format.ts';

/**
 * Finds out whether one of Vessel's own archives opens: the rules of names, kinds, sizes and places that a guest applies, and every entry's content
 * against its CRC. Throws ARCHIVE_CORRUPT, ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE.
 */
export async function checkArchive(path: string, options: ArchiveOptions): Promise<ArchiveCount> {
  const file = await open(path, 'r').catch((error: unknown) => { throw archiveError(error); });
  try {
    const { entries, bytes } = await readDirectory(file);
    const guard = new NameGuard('own');
    let contentBytes = 0;
    for (let index = 0, at = 0; index < entries; index += 1, at += centralLength(bytes, at)) {
      const entry = readCentral(bytes, at);
      const { isFolder } = guard.check(entry.name);
      checkKind(entry, isFolder);
      contentBytes += entry.size;
    }
    if (entries > options.maxEntries || contentBytes > options.maxArchiveBytes) throw new VesselError('ARCHIVE_TOO_LARGE', undefined, { details: { entries, contentBytes, ...limitsOf(options) } });
  } catch (error) {
    throw archiveError(error);
  } finally {
    await file.close();
  }
  return readWhole(path, options);
}

const limitsOf = ({ maxEntries, maxArchiveBytes }: ArchiveOptions): object => ({ maxEntries, maxArchiveBytes });

function checkKind({ name, mode, method, size, compressedSize }: Central, isFolder: boolean): void {
  const type = mode & FILE_TYPE.mask;
  if (type !== FILE_TYPE.file && type !== FILE_TYPE.folder && type !== FILE_TYPE.link) throw unsafe(name, 'is neither file, folder nor link');
  if (isFolder !== (type === FILE_TYPE.folder) || (isFolder && size > 0)) throw corrupt(`entry "${displayName(name)}" contradicts its type`);
  if (method !== METHOD.deflated && method !== METHOD.stored) throw corrupt(`entry "${displayName(name)}" uses method ${method}`);
  if (method === METHOD.stored && size !== compressedSize) throw corrupt(`entry "${displayName(name)}" has two sizes`);
}

/** Reads the archive as it is read for a guest, and lets go of what comes. */
async function readWhole(path: string, options: ArchiveOptions): Promise<ArchiveCount> {
  const { content, count } = await inflateArchive(path, options);
  content.resume();
  await finished(content);
  return count;
}
