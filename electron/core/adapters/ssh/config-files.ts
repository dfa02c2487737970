import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, parse, sep } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { invalidLine, parseLines, type ConfigLine } from './config-line.ts';
import { matchesPattern } from './known-hosts.ts';
import { expandTilde } from './tokens.ts';

const SYSTEM_FOLDER = '/etc/ssh';

/**
 * The lines of one file. An absent file and a folder hold none, as for ssh(1). With `mustBeMine`, a file that others may
 * write is refused: its lines can run commands. Throws SSH_CONFIG_INVALID, and the error of the system when it is unreadable.
 */
export function readLines(file: string, mustBeMine: boolean): readonly ConfigLine[] {
  try {
    if (mustBeMine) checkOwner(file);
    return parseLines(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

function checkOwner(file: string): void {
  const me = process.getuid?.();
  if (me === undefined) return; // Windows has no such modes
  const { uid, mode } = statSync(file);
  if ((uid === 0 || uid === me) && (mode & 0o022) === 0) return;
  throw new VesselError('SSH_CONFIG_INVALID', `${file} belongs to another user or can be written by others`, { hint: `Make it yours alone: \`chmod go-w ${file}\`; ssh refuses it as well.`, details: { file } });
}

/** The files that an `Include` means, in the order of their names. */
export function includedFiles(line: ConfigLine, user: boolean, homeDirectory: string): readonly string[] {
  return line.args.flatMap((arg) => {
    if (arg === '') throw invalidLine(line, 'an Include names nothing');
    if (arg.startsWith('~') && !user) throw invalidLine(line, `the system's configuration cannot include "${arg}"`);
    const path = expandTilde(arg, homeDirectory);
    return glob(isAbsolute(path) ? path : join(user ? join(homeDirectory, '.ssh') : SYSTEM_FOLDER, path));
  });
}

/** glob(3) without its extensions: `*`, `?` and `[…]`, each within one name; a leading dot must be written. */
function glob(pattern: string): readonly string[] {
  const { root } = parse(pattern);
  let found = [root];
  for (const part of pattern.slice(root.length).split(sep === '/' ? '/' : /[/\\]/).filter((name) => name !== '')) {
    found = found.flatMap((folder) => /[*?[]/.test(part) ? namesIn(folder).filter((name) => matchesName(part, name)).map((name) => join(folder, name)) : [join(folder, part)]);
  }
  return found.filter(isThere);
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false; // or not ours to look at: glob(3) finds nothing there either
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // no folder, or not ours to look into: the pattern matches nothing there
  }
}

function matchesName(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  if (!pattern.includes('[')) return matchesPattern(pattern, name);
  const source = pattern.replace(/\[(!|\^)?(\]?[^\]]{0,255})\]|[.+^${}()|\\\]]|\*|\?/g, (found, not: string | undefined, set: string | undefined) => {
    if (set !== undefined) return `[${not === undefined ? '' : '^'}${set.replace(/[\\\]^]/g, '\\$&')}]`;
    return found === '*' ? '.*' : found === '?' ? '.' : `\\${found}`;
  });
  try {
    return new RegExp(`^${source}$`, 's').test(name);
  } catch {
    return pattern === name; // an unfinished set stands for itself
  }
}
