import { VesselError } from '#shared/errors.ts';

/** One `Keyword value…` line of ssh_config(5). */
export type ConfigLine = {
  readonly file: string;
  /** Counted from 1, as editors do. */
  readonly line: number;
  /** In lower case. */
  readonly keyword: string;
  /** Everything behind the keyword as it stands there: ProxyCommand, ProxyJump and Match take it apart themselves. */
  readonly rest: string;
  readonly args: readonly string[];
};

const BLANKS = /^[ \t\r\n]*/;

/** SSH_CONFIG_INVALID that names file and line. */
export function invalidLine({ file, line }: Pick<ConfigLine, 'file' | 'line'>, why: string): VesselError {
  return new VesselError('SSH_CONFIG_INVALID', `${file} line ${line}: ${why}`, { details: { file, line } });
}

/** The lines of a file, without comments and empty ones. Throws SSH_CONFIG_INVALID where ssh(1) would end. */
export function parseLines(text: string, file: string): readonly ConfigLine[] {
  return text.replace(/^\uFEFF/, '').split('\n').flatMap((raw, index) => {
    const at = { file, line: index + 1 };
    // OpenSSH skips leading blanks only; a form feed counts as blank at the end of a line.
    const first = splitWord(raw.replace(/(?<![ \t\r\n\f])[ \t\r\n\f]+$/, '').replace(BLANKS, ''));
    if (first === null || first.word === '' || first.word.startsWith('#')) return [];
    const keyword = first.word.toLowerCase();
    const rest = first.rest.replace(BLANKS, '');
    if (rest === '') throw invalidLine(at, `no value after "${first.word}"`);
    const args = splitArguments(rest);
    if (args === null) throw invalidLine(at, 'a quote is not closed');
    return [{ ...at, keyword, rest, args }];
  });
}

/**
 * The next word and what follows, as OpenSSH's strdelim() cuts them: at blanks, at one `=`, or a text in double quotes.
 * null at the end, and where a quote is not closed.
 */
export function splitWord(text: string): { readonly word: string; readonly rest: string } | null {
  if (text === '') return null;
  const end = text.search(/[ \t\r\n"=]/);
  if (end === -1) return { word: text, rest: '' };
  if (text[end] === '"') {
    const close = text.indexOf('"', end + 1);
    if (close === -1) return null;
    return { word: text.slice(0, end) + text.slice(end + 1, close), rest: text.slice(close + 1).replace(BLANKS, '') };
  }
  const after = text.slice(end + 1).replace(BLANKS, '');
  const equals = text[end] !== '=' && after.startsWith('=');
  return { word: text.slice(0, end), rest: equals ? after.slice(1).replace(BLANKS, '') : after };
}

/** Words as OpenSSH's argv_split() makes them: both quotes, `\` before a quote, itself or a blank, `#` begins a comment where a word would begin. */
function splitArguments(text: string): readonly string[] | null {
  const words: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === ' ' || text[at] === '\t') { at += 1; continue; }
    if (text[at] === '#') break;
    let word = '';
    let quote = '';
    for (; at < text.length; at += 1) {
      const char = text.charAt(at);
      const next = text.charAt(at + 1);
      if (char === '\\' && next !== '' && (`'"\\`.includes(next) || (quote === '' && next === ' '))) { word += next; at += 1; }
      else if (quote === '' && (char === ' ' || char === '\t')) break;
      else if (quote === '' && (char === '"' || char === "'")) quote = char;
      else if (char === quote) quote = '';
      else word += char;
    }
    if (quote !== '') return null;
    words.push(word);
  }
  return words;
}
