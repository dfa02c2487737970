import { MAX_VIEW_BYTES, type TextDiff } from '#shared/archive-contract.ts';
import type { DraftReview, Drafts as DraftsView } from '#shared/draft-contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { OpenArchive, TextTools } from '../ports/archive-reader.ts';
import type { DraftRecord } from '../ports/store.ts';
import { viewOf } from './browse.ts';
import type { Drafts } from './drafts.ts';
import type { EditTools } from './edits.ts';

const CONTEXT = 3;
type Sides = { readonly draft: DraftRecord; readonly base: string | null; readonly theirs: string | null };
type Choice = { readonly path: string; readonly take: 'merge' | 'mine' | 'theirs' };

/** Drafts beside what the project became meanwhile. */
export class DraftReviews {
  readonly #tools: EditTools;
  readonly #drafts: Drafts;
  readonly #texts: TextTools;

  constructor(tools: EditTools, drafts: Drafts, texts: TextTools) {
    this.#tools = tools;
    this.#drafts = drafts;
    this.#texts = texts;
  }

  async review(projectId: string, signal: AbortSignal): Promise<DraftReview> {
    const { baseRev, headRev } = this.#drafts.list(projectId);
    const sides = await this.#sides(projectId, signal);
    return {
      projectId, baseRev, headRev,
      files: sides.map((side) => ({ path: side.draft.path, fit: this.#fit(side), mine: this.#diff(side.base, side.draft.text), theirs: this.#diff(side.base, side.theirs) })),
      patch: sides.map(({ draft, base }) => this.#texts.patch(draft.path, base, draft.text)).join(''),
    };
  }

  /** Throws CONFLICT for a merge of changes to the same lines, BAD_REQUEST when a file that does not simply fit was not decided. */
  async resolve(projectId: string, choices: readonly Choice[], signal: AbortSignal): Promise<DraftsView> {
    const { headRev, state } = this.#drafts.list(projectId);
    if (headRev === null || state === 'clean') throw new VesselError('BAD_REQUEST', 'There are no changes to decide on');
    if (state === 'locked') throw new VesselError('ILLEGAL_TRANSITION', 'The environment of this project runs', { hint: 'Save & Exit first; or apply the patch inside.' });
    const texts = new Map<string, string | null>();
    const dropped: DraftRecord[] = [];
    for (const side of await this.#sides(projectId, signal)) {
      const { draft, base, theirs } = side;
      const fit = this.#fit(side);
      const take = choices.find(({ path }) => path === draft.path)?.take ?? (fit === 'clean' ? 'mine' : null);
      if (take === null) throw new VesselError('BAD_REQUEST', `"${draft.path}" was changed on both sides: say what to take`, { details: { path: draft.path, fit } });
      if (take === 'theirs') { dropped.push(draft); continue; }
      if (take === 'mine' || fit === 'clean') { texts.set(draft.path, draft.text); continue; }
      const merged = base === null || draft.text === null || theirs === null ? null : this.#texts.merge(base, draft.text, theirs);
      if (merged === null) throw new VesselError('CONFLICT', `"${draft.path}" was changed in the same lines on both sides`, { retryable: false, hint: 'Take one side, and bring the other over by hand.', details: { path: draft.path } });
      texts.set(draft.path, merged);
    }
    return this.#drafts.rebase(projectId, texts, dropped, headRev);
  }

  #fit({ draft, base, theirs }: Sides): 'clean' | 'merges' | 'conflict' {
    if (theirs === base || theirs === draft.text) return 'clean';
    if (base === null || draft.text === null || theirs === null) return 'conflict';
    return this.#texts.merge(base, draft.text, theirs) === null ? 'conflict' : 'merges';
  }

  #diff(before: string | null, after: string | null): TextDiff { return this.#texts.diff(before ?? '', after ?? '', CONTEXT); }

  async #sides(projectId: string, signal: AbortSignal): Promise<readonly Sides[]> {
    const drafts = this.#tools.context.store.drafts.list(projectId);
    const baseRev = drafts[0]?.baseRev;
    if (baseRev === undefined) return [];
    const { archives } = this.#tools;
    return archives.use(projectId, baseRev, signal, (base) => archives.use(projectId, undefined, signal, async (head) => {
      const sides: Sides[] = [];
      for (const draft of drafts) sides.push({ draft, base: await textOf(base, draft.path, signal), theirs: await textOf(head, draft.path, signal) });
      return sides;
    }));
  }
}

async function textOf(archive: OpenArchive, path: string, signal: AbortSignal): Promise<string | null> {
  const entry = archive.get(path);
  if (entry?.kind !== 'file') return null;
  const content = await viewOf(archive, entry, MAX_VIEW_BYTES, signal);
  // What became something else than text cannot be merged, and differs from any text.
  return content.form === 'text' ? content.text : `\0${entry.crc}`;
}
