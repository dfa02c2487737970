/**
 * One line of a gitignore file, compiled. Own code rather than the `ignore` package: a walker that decides top-down must test an entry
 * alone, without its parents (a later rule may have taken a parent back), and this runs for every file of a save inside an emulated guest.
 * The tests compare it with git itself.
 */
export type IgnorePattern = {
  readonly text: string;
  readonly negated: boolean;
  /** Matches folders only (the line ended in `/`). */
  readonly folderOnly: boolean;
  /** `path` is relative to the folder of the ignore file, without a leading or trailing slash; `name` is its last part. */
  readonly matches: (path: string, name: string) => boolean;
};

const SPECIAL = /[\\^$.|+(){}]/g;

/** Index after the closing `]` of the class that begins at `start`, or -1 when it never closes. */
function classEnd(glob: string, start: number): number {
  let index = start + 1;
  if (glob[index] === '!' || glob[index] === '^') index += 1;
  if (glob[index] === ']') index += 1;
  for (; index < glob.length; index += 1) {
    if (glob[index] === '\\') index += 1;
    else if (glob[index] === '[' && glob[index + 1] === ':') index = Math.max(index, glob.indexOf(':]', index + 2) + 1);
    else if (glob[index] === ']') return index + 1;
  }
  return -1;
}

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z', alpha: 'A-Za-z', blank: ' \\t', digit: '0-9', lower: 'a-z', space: '\\s', upper: 'A-Z', xdigit: '0-9A-Fa-f',
  punct: '!-\\/:-@\\[-`{-~', cntrl: '\\x00-\\x1f\\x7f', graph: '!-~', print: ' -~',
};

function classSource(body: string): string {
  const negated = body[0] === '!' || body[0] === '^';
  const inner = (negated ? body.slice(1) : body)
    .replace(/\[:(\w+):\]|\\(.)|([[\]^\\])/g, (_, posix: string | undefined, escaped: string | undefined, plain: string | undefined) =>
      posix !== undefined ? (POSIX_CLASSES[posix] ?? '') : `\\${escaped ?? plain ?? ''}`);
  return `(?!/)[${negated ? '^' : ''}${inner}]`;
}

function globSource(glob: string): string {
  let source = '';
  for (let index = 0; index < glob.length;) {
    const char = glob[index] ?? '';
    const atStart = index === 0 || glob[index - 1] === '/';
    if (atStart && glob.startsWith('**/', index)) {
      source += '(?:[^/]+/)*';
      index += 3;
    } else if (atStart && glob.slice(index) === '**') {
      source += '.+';
      index += 2;
    } else if (char === '*') {
      while (glob[index] === '*') index += 1;
      source += '[^/]*';
    } else if (char === '?') {
      source += '[^/]';
      index += 1;
    } else if (char === '[') {
      const end = classEnd(glob, index);
      // git: an unclosed class matches nothing.
      if (end < 0) return '(?!)';
      source += classSource(glob.slice(index + 1, end - 1));
      index = end;
    } else if (char === '\\') {
      if (index + 1 >= glob.length) return '(?!)';
      source += (glob[index + 1] ?? '').replace(/[\\^$.|+(){}*?[\]]/g, '\\$&');
      index += 2;
    } else {
      source += char.replace(SPECIAL, '\\$&');
      index += 1;
    }
  }
  return source;
}

/** Drops trailing spaces unless escaped, as git does. */
function withoutTrailingSpaces(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === ' ' && line[end - 2] !== '\\') end -= 1;
  return line.slice(0, end);
}

/** Compiles one line; null for blank lines and comments. */
export function parseIgnoreLine(line: string): IgnorePattern | null {
  const text = withoutTrailingSpaces(line.endsWith('\r') ? line.slice(0, -1) : line);
  if (text === '' || text.startsWith('#')) return null;
  const negated = text.startsWith('!');
  let glob = negated ? text.slice(1) : text;
  const folderOnly = glob.endsWith('/');
  if (folderOnly) glob = glob.slice(0, -1);
  if (glob === '') return null;
  const anchored = glob.includes('/');
  if (glob.startsWith('/')) glob = glob.slice(1);
  if (!/[*?[\\]/.test(glob)) {
    return { text, negated, folderOnly, matches: anchored ? (path) => path === glob : (_, name) => name === glob };
  }
  let expression: RegExp;
  try {
    expression = new RegExp(`^${globSource(glob)}$`, 's');
  } catch {
    // A class such as [z-a]: git matches nothing with it, so nothing is left out by mistake.
    expression = /(?!)/;
  }
  return { text, negated, folderOnly, matches: anchored ? (path) => expression.test(path) : (_, name) => expression.test(name) };
}

/** Compiles the lines of one ignore file, in order. */
export function parseIgnoreLines(lines: readonly string[]): readonly IgnorePattern[] {
  return lines.flatMap((line) => parseIgnoreLine(line) ?? []);
}
