import type { ArchiveReader } from '../../ports/archive-reader.ts';
import { compose } from './compose.ts';
import { copyOut } from './copy-out.ts';
import { openArchive } from './open-archive.ts';

export const archiveReader: ArchiveReader = { open: openArchive, compose, copyOut };
