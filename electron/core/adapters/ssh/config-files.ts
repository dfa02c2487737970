import { globSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import SSHConfig, { LineType, type Line } from 'ssh-config';
import { VesselError } from '#shared/errors.ts';

/** One `Keyword value…` line with the conditions it stands under. */
export type ConfigLine = { readonly keyword: string; readonly values: readonly string[]; readonly under: readonly ConfigCondition[] };
export type ConfigCondition =
  | { readonly kind: 'host'; readonly patterns: readonly string[] }
  | { readonly kind: 'match'; readonly criteria: readonly { readonly name: string; readonly value: string }[] };

/** The limit of OpenSSH (readconf.c, READCONF_MAX_DEPTH). */
const MAX_DEPTH = 16;

/**
 * All lines of a configuration file and of what it includes, in order. Only the parser of `ssh-config` is used: its own
 * evaluation knows no Include, runs `Match exec` and nslookup, and reads `?` and `!` otherwise than OpenSSH.
 * An absent file holds nothing. Throws SSH_CONFIG_INVALID naming the file.
 */
export function readConfig(file: string, homeDirectory: string, under: readonly ConfigCondition[] = [], depth = 0): readonly ConfigLine[] {
  if (depth > MAX_DEPTH) throw new VesselError('SSH_CONFIG_INVALID', `${file} is included too deeply; it may include itself`, { details: { file } });
  const text = readText(file);
  if (text === null) return [];
  const lines: ConfigLine[] = [];
  const walk = (nodes: Iterable<Line>, conditions: readonly ConfigCondition[]): void => {
    for (const node of nodes) {
      if (node.type !== LineType.DIRECTIVE) continue;
      const keyword = node.param.toLowerCase();
      const values = valuesOf(node.value);
      if ('config' in node && (keyword === 'host' || keyword === 'match')) walk(node.config, [...conditions, conditionOf(keyword, values)]);
      else if (keyword === 'include') for (const path of values.flatMap((pattern) => included(pattern, file, homeDirectory))) lines.push(...readConfig(path, homeDirectory, conditions, depth + 1));
      else lines.push({ keyword, values, under: conditions });
    }
  };
  walk(parse(text, file), under);
  return lines;
}

function parse(text: string, file: string): Iterable<Line> {
  try {
    return SSHConfig.parse(text);
  } catch (error) {
    throw new VesselError('SSH_CONFIG_INVALID', `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error, details: { file } });
  }
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw new VesselError('SSH_CONFIG_INVALID', `${file} cannot be read: ${String(error)}`, { cause: error, details: { file } });
  }
}

function valuesOf(value: string | readonly { readonly val: string }[]): readonly string[] {
  return typeof value === 'string' ? [value] : value.map(({ val }) => val);
}

/** Of `Match`, keywords without a value are `all`, `canonical` and `final`; a leading `!` stays part of the name. */
function conditionOf(keyword: 'host' | 'match', values: readonly string[]): ConfigCondition {
  if (keyword === 'host') return { kind: 'host', patterns: values };
  const criteria: { name: string; value: string }[] = [];
  for (let index = 0; index < values.length; index += 1) {
    const name = (values[index] ?? '').toLowerCase();
    const alone = ['all', 'canonical', 'final'].includes(name.replace(/^!/, ''));
    criteria.push({ name, value: alone ? '' : values[++index] ?? '' });
  }
  return { kind: 'match', criteria };
}

/** Relative names of a user's file lie in ~/.ssh, those of the system's file beside it. */
function included(pattern: string, from: string, homeDirectory: string): readonly string[] {
  const expanded = pattern.startsWith('~/') ? join(homeDirectory, pattern.slice(2)) : pattern;
  const base = dirname(from).startsWith('/etc/') ? '/etc/ssh' : join(homeDirectory, '.ssh');
  return globSync(isAbsolute(expanded) ? expanded : join(base, expanded)).sort();
}
