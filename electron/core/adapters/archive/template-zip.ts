import type { ArchiveCount, ZipInTheMaking } from '../../ports/archiver.ts';
import { makeZip } from './making.ts';
import { FILE_TYPE } from './zip-format.ts';
import type { ZipPiece } from './zip-piece.ts';

/** What a template hands over; core/templates makes these. */
export type TemplateFile = { readonly path: string; readonly content: string; readonly executable?: boolean };

/** A fixed time for all template files: the same template then always makes the same archive. 2026-01-01T00:00:00Z. */
const TEMPLATE_TIME = 1_767_225_600;

/** The archive of a template's files, with their folders. */
export function templateZip(files: readonly TemplateFile[]): ZipInTheMaking {
  return makeZip(piecesOf(files), null);
}

async function* piecesOf(files: readonly TemplateFile[]): AsyncGenerator<ZipPiece, ArchiveCount> {
  const folders = new Set<string>();
  for (const { path } of files) for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) folders.add(path.slice(0, at + 1));
  let contentBytes = 0;
  for (const folder of [...folders].sort()) {
    yield { kind: 'entry', name: Buffer.from(folder), utf8: true, mtime: TEMPLATE_TIME, size: 0, crc: 0, mode: FILE_TYPE.folder | 0o755 };
  }
  for (const file of files) {
    const data = Buffer.from(file.content);
    contentBytes += data.length;
    yield { kind: 'entry', name: Buffer.from(file.path), utf8: true, mtime: TEMPLATE_TIME, size: data.length, crc: null, mode: FILE_TYPE.file | (file.executable === true ? 0o755 : 0o644) };
    yield { kind: 'data', data };
  }
  return { entries: folders.size + files.length, files: files.length, contentBytes };
}
