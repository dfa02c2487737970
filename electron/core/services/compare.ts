import { MAX_VIEW_BYTES, type Change, type RevisionDiff, type TextDiff } from '#shared/archive-contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { IndexedEntry, OpenArchive, TextTools } from '../ports/archive-reader.ts';
import type { Archives } from './archives.ts';
import { viewOf } from './browse.ts';

/** What changed between two revisions. */
export class Compare {
  readonly #archives: Archives;
  readonly #texts: TextTools;

  constructor(archives: Archives, texts: TextTools) {
    this.#archives = archives;
    this.#texts = texts;
  }

  /** By size, CRC and mode from the two directories; no content is read. Empty folders count, folders with content do not. */
  trees(projectId: string, from: number, to: number, limit: number, signal: AbortSignal): Promise<RevisionDiff> {
    return this.#both(projectId, from, to, signal, async (before, after) => {
      const all = changesBetween(before, after);
      const counts = { added: 0, removed: 0, changed: 0, mode: 0 };
      for (const { change } of all) counts[change] += 1;
      return { from, to, counts, changes: all.slice(0, limit), more: all.length > limit };
    });
  }

  /** Line by line. Throws NOT_FOUND when neither revision has the file. */
  file(projectId: string, from: number, to: number, path: string, context: number, signal: AbortSignal): Promise<TextDiff> {
    return this.#both(projectId, from, to, signal, async (before, after) => {
      const [old, young] = [before.get(path), after.get(path)];
      if ((old === null || old.kind === 'folder') && (young === null || young.kind === 'folder')) throw new VesselError('NOT_FOUND', `Neither revision has a file "${path}"`, { details: { path, from, to } });
      const [left, right] = [await textOf(before, old, signal), await textOf(after, young, signal)];
      if (typeof left !== 'string') return left;
      if (typeof right !== 'string') return right;
      return this.#texts.diff(left, right, context);
    });
  }

  #both<T>(projectId: string, from: number, to: number, signal: AbortSignal, work: (before: OpenArchive, after: OpenArchive) => Promise<T>): Promise<T> {
    return this.#archives.use(projectId, from, signal, (before) => this.#archives.use(projectId, to, signal, (after) => work(before, after)));
  }
}

/** The text of an entry, empty when there is none; or the form of what cannot be compared. */
async function textOf(archive: OpenArchive, entry: IndexedEntry | null, signal: AbortSignal): Promise<string | { readonly form: 'binary' | 'too-large' }> {
  if (entry === null || entry.kind === 'folder') return '';
  const content = await viewOf(archive, entry, MAX_VIEW_BYTES, signal);
  return content.form === 'text' ? content.text : content;
}

export function sameContent(a: IndexedEntry, b: IndexedEntry): boolean { return a.kind === b.kind && a.size === b.size && a.crc === b.crc; }

function changesBetween(before: OpenArchive, after: OpenArchive): readonly Change[] {
  const changes: Change[] = [];
  const tell = (change: Change['change'], old: IndexedEntry | null, young: IndexedEntry | null): void => {
    const shown = young ?? old;
    if (shown === null) return;
    const side = (entry: IndexedEntry | null): Change['before'] => entry === null ? null : { size: entry.size, mode: entry.mode, kind: entry.kind };
    changes.push({ path: shown.path, change, kind: shown.kind, before: side(old), after: side(young) });
  };
  for (const old of before.entries) {
    if (old.kind === 'folder' && before.children(old.path).length > 0) continue;
    const young = after.get(old.path);
    if (young === null) tell('removed', old, null);
    else if (!sameContent(old, young)) tell('changed', old, young);
    else if (old.mode !== young.mode) tell('mode', old, young);
  }
  for (const young of after.entries) {
    if (young.kind === 'folder' && after.children(young.path).length > 0) continue;
    if (before.get(young.path) === null) tell('added', null, young);
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}
