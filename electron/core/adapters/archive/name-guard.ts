import { ArchiveTree, judgeName, type NameRules, type Placed } from '#shared/archive-names.ts';
import { VesselError } from '#shared/errors.ts';

/**
 * Watches over the names of one archive that Vessel wrote: no path leaves the workspace, no name comes twice, nothing lies below a file or a
 * link, and each is written plainly. See archive-names.ts for the rules.
 */
export class NameGuard {
  readonly #tree = new ArchiveTree();
  readonly #rules: NameRules;

  constructor(rules: NameRules) { this.#rules = rules; }

  /** Throws ARCHIVE_UNSAFE naming the entry. `raw` is the name in bytes; a trailing slash makes it a folder. */
  check(raw: Buffer): { readonly isFolder: boolean } {
    const name = raw.toString('latin1');
    const judged = judgeName(name, this.#rules);
    if (judged.verdict === 'refused') throw unsafe(raw, judged.problem);
    if (judged.verdict === 'workspace' || judged.path !== (judged.isFolder ? name.slice(0, -1) : name)) throw unsafe(raw, 'has an empty part in its path');
    const placed = this.#tree.add(judged.path, judged.isFolder);
    if (placed !== 'new') throw unsafe(raw, problemOfPlace(placed));
    return { isFolder: judged.isFolder };
  }
}

/** Says of an entry that is not new why it is refused. */
export function problemOfPlace(placed: Exclude<Placed, 'new'>): string {
  return placed === 'below a file or a link' ? 'lies below a file or a link' : 'comes twice';
}

export function unsafe(raw: Buffer, problem: string): VesselError {
  const entry = displayName(raw);
  return new VesselError('ARCHIVE_UNSAFE', `Entry "${entry}" ${problem}`, { details: { entry, problem } });
}

/** A name that is safe to show: no control characters, not endless. */
export function displayName(raw: Buffer): string {
  const text = raw.toString('utf8').replace(/[\u0000-\u001f\u007f]/g, '\ufffd');
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
