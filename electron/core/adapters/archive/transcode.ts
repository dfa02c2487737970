import type { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { WorkspaceOutSummary } from '#shared/guest-protocol.ts';
import type { ArchiveCount, ArchiveOptions, ZipInTheMaking } from '../../ports/archiver.ts';
import { ByteReader } from './byte-reader.ts';
import { makeZip } from './making.ts';
import { readStoredZip } from './stored-zip-reader.ts';
import type { ZipPiece } from './zip-piece.ts';

/** See Archiver.transcode. */
export function transcode(stored: Readable, summary: Promise<WorkspaceOutSummary>, options: ArchiveOptions): ZipInTheMaking {
  return makeZip(piecesOf(stored, summary, options), options);
}

async function* piecesOf(stored: Readable, summary: Promise<WorkspaceOutSummary>, options: ArchiveOptions): AsyncGenerator<ZipPiece, ArchiveCount> {
  try {
    const count = yield* readStoredZip(new ByteReader(stored), options);
    const told = await summary;
    if (told.entries !== count.entries) {
      throw new VesselError('ARCHIVE_CORRUPT', `The guest announced ${told.entries} entries and sent ${count.entries}`, { details: { told: told.entries, sent: count.entries } });
    }
    return count;
  } finally {
    stored.destroy();
  }
}
