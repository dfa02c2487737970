import { MAX_VIEW_BYTES, type ArchiveFile, type ArchiveTree, type SearchItem } from '#shared/archive-contract.ts';
import type { StreamInput } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { IndexedEntry, OpenArchive } from '../ports/archive-reader.ts';
import { LineFinder, looksBinary } from '../domain/line-finder.ts';
import type { Archives } from './archives.ts';

/** Larger files are rarely written by hand; the search says how many it left out. */
const MAX_SEARCHED_BYTES = 5 * 1024 * 1024;
/** Progress is told this often. */
const PROGRESS_FILES = 200;
type SearchQuery = Required<Pick<StreamInput<'archive.search'>, 'query' | 'in' | 'caseSensitive' | 'wholeWord' | 'folder' | 'limit'>>;

const plain = ({ path, kind, size, mode, mtime }: IndexedEntry): ArchiveTree['entries'][number] => ({ path, kind, size, mode, mtime });

/** Looking into revisions without unpacking them. */
export class Browse {
  readonly #archives: Archives;

  constructor(archives: Archives) { this.#archives = archives; }

  /** One page of a folder's children. */
  tree(projectId: string, rev: number | undefined, page: { readonly folder: string; readonly after: string | undefined; readonly limit: number }, signal: AbortSignal): Promise<ArchiveTree> {
    return this.#archives.use(projectId, rev, signal, async (archive, number) => {
      const children = archive.children(page.folder);
      const start = page.after === undefined ? 0 : children.findIndex(({ path }) => path === page.after) + 1;
      if (page.after !== undefined && start === 0) throw new VesselError('NOT_FOUND', `There is no "${page.after}" in that folder`);
      return { rev: number, totals: archive.totals, entries: children.slice(start, start + page.limit).map(plain), more: start + page.limit < children.length };
    });
  }

  /** One file as a viewer shows it. */
  file(projectId: string, rev: number | undefined, path: string, maxBytes: number, signal: AbortSignal): Promise<ArchiveFile> {
    return this.#archives.use(projectId, rev, signal, async (archive, number) => {
      const entry = archive.get(path);
      if (entry === null || entry.kind === 'folder') throw new VesselError('NOT_FOUND', `There is no file "${path}" in revision ${number}`, { details: { path, rev: number } });
      return { ...plain(entry), rev: number, content: await viewOf(archive, entry, maxBytes, signal) };
    });
  }

  /** Names first, then contents file by file; ends early at `limit` hits. Cancelled by the signal. */
  async *search(projectId: string, rev: number | undefined, query: SearchQuery, signal: AbortSignal): AsyncGenerator<SearchItem, void> {
    const held = await this.#archives.hold(projectId, rev, signal);
    try {
      yield* searchArchive(held.archive, query, signal);
    } finally {
      await held.release();
    }
  }
}

/** The text of a file for people, or why it is not shown. */
export async function viewOf(archive: OpenArchive, entry: IndexedEntry, maxBytes: number, signal: AbortSignal): Promise<ArchiveFile['content']> {
  if (entry.size > Math.min(maxBytes, MAX_VIEW_BYTES)) return { form: 'too-large' };
  const bytes = await archive.read(entry.path, { maxBytes, signal });
  if (looksBinary(bytes)) return { form: 'binary' };
  const text = bytes.toString('utf8');
  // What is not UTF-8 would come back changed after an edit.
  return Buffer.from(text, 'utf8').equals(bytes) ? { form: 'text', text } : { form: 'binary' };
}

async function* searchArchive(archive: OpenArchive, query: SearchQuery, signal: AbortSignal): AsyncGenerator<SearchItem, void> {
  const finder = new LineFinder(query);
  const entries = archive.below(query.folder);
  let hits = 0;
  const end = (limited: boolean, files = 0, skippedBinary = 0, skippedLarge = 0): SearchItem => ({ kind: 'end', hits, files, skippedBinary, skippedLarge, limited });
  if (query.in !== 'contents') {
    for (const { path, kind } of entries) {
      const name = finder.inName(path);
      if (name === null) continue;
      if (hits >= query.limit) { yield end(true); return; }
      hits += 1;
      yield { kind: 'name', path, entryKind: kind, ...name };
    }
  }
  if (query.in === 'names') { yield end(false); return; }
  const files = entries.filter(({ kind }) => kind === 'file');
  let skippedBinary = 0;
  let skippedLarge = 0;
  for (const [number, entry] of files.entries()) {
    if (signal.aborted) throw new VesselError('CANCELLED');
    if (number % PROGRESS_FILES === 0) yield { kind: 'progress', files: number, of: files.length };
    if (entry.size > MAX_SEARCHED_BYTES) { skippedLarge += 1; continue; }
    const bytes = await archive.read(entry.path, { maxBytes: MAX_SEARCHED_BYTES, signal });
    if (looksBinary(bytes)) { skippedBinary += 1; continue; }
    for (const line of finder.lines(bytes.toString('utf8'))) {
      if (hits >= query.limit) { yield end(true, number, skippedBinary, skippedLarge); return; }
      hits += 1;
      yield { kind: 'line', path: entry.path, ...line };
    }
  }
  yield end(false, files.length - skippedBinary - skippedLarge, skippedBinary, skippedLarge);
}
