/** A long line is shown around its hit, this many characters before and after. */
const AROUND = 120;
const MAX_LINE = 2 * AROUND + 60;
/** Git's own measure: a zero byte among the first 8000 makes a file binary. */
const SNIFFED_BYTES = 8000;

export type FoundLine = { readonly line: number; readonly column: number; readonly text: string; readonly start: number; readonly length: number };
export type FindOptions = { readonly query: string; readonly caseSensitive: boolean; readonly wholeWord: boolean };

export function looksBinary(bytes: Uint8Array): boolean { return bytes.subarray(0, SNIFFED_BYTES).includes(0); }

/** Finds a literal text. Every hit once; a pattern of escaped characters only, so its time is linear in the text. */
export class LineFinder {
  readonly #pattern: RegExp;

  constructor({ query, caseSensitive, wholeWord }: FindOptions) {
    const literal = query.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
    this.#pattern = new RegExp(wholeWord ? `(?<![\\p{L}\\p{N}_])${literal}(?![\\p{L}\\p{N}_])` : literal, caseSensitive ? 'gu' : 'giu');
  }

  /** Where the path matches: preferably in its last part. */
  inName(path: string): { readonly start: number; readonly length: number } | null {
    const all = [...path.matchAll(this.#pattern)];
    const slash = path.lastIndexOf('/');
    const hit = all.find((found) => found.index + found[0].length > slash + 1) ?? null;
    // A folder that matches is listed itself; all that lies in it need not be.
    return hit === null ? null : { start: hit.index, length: hit[0].length };
  }

  /** The first hit of each line; columns and lines start at 1. */
  *lines(text: string): Generator<FoundLine> {
    let line = 1;
    let counted = 0;
    this.#pattern.lastIndex = 0;
    for (let hit = this.#pattern.exec(text); hit !== null; hit = this.#pattern.exec(text)) {
      for (let at = text.indexOf('\n', counted); at !== -1 && at < hit.index; at = text.indexOf('\n', at + 1)) { line += 1; counted = at + 1; }
      const start = text.lastIndexOf('\n', hit.index - 1) + 1;
      const newline = text.indexOf('\n', hit.index + hit[0].length);
      const end = newline === -1 ? text.length : newline;
      const column = hit.index - start;
      const whole = end - start <= MAX_LINE;
      const from = whole ? start : Math.max(start, hit.index - AROUND);
      const shown = text.slice(from, whole ? end : Math.min(end, hit.index + hit[0].length + AROUND)).replace(/\r$/, '');
      yield { line, column: column + 1, text: shown, start: hit.index - from, length: hit[0].length };
      if (newline === -1) return;
      this.#pattern.lastIndex = newline + 1;
    }
  }
}
