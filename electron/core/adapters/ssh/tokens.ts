import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';

/** Values of the `%x` of ssh_config(5), TOKENS, by their letter. */
export type Tokens = Readonly<Record<string, string>>;

/** What the tokens of a connection are made of. */
export type TokenFacts = {
  /** As it was typed. */
  readonly original: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeyAlias: string | null;
  readonly localUser: string;
  readonly homeDirectory: string;
};

/** The tokens that most options know. `%C` is a SHA-1 over `%l%h%p%r`. */
export function tokensOf({ original, host, port, user, hostKeyAlias, localUser, homeDirectory }: TokenFacts): Tokens {
  const here = hostname();
  return {
    C: createHash('sha1').update(`${here}${host}${port}${user}`).digest('hex'),
    L: here.split('.')[0] ?? here, l: here, d: homeDirectory, i: String(process.getuid?.() ?? 0), u: localUser,
    h: host, k: hostKeyAlias ?? original, n: original, p: String(port), r: user,
  };
}

export type ExpandOptions = {
  readonly tokens: Tokens;
  /** Where `${NAME}` is looked up; null where the option knows none. */
  readonly env: Readonly<Record<string, string | undefined>> | null;
  /** For messages: the option. */
  readonly what: string;
};

/** Replaces tokens, and `${NAME}` where the option knows it, once: what comes in is not expanded again. Throws SSH_CONFIG_INVALID. */
export function expand(text: string, { tokens, env, what }: ExpandOptions): string {
  const refuse = (why: string): never => { throw new VesselError('SSH_CONFIG_INVALID', `${what} "${text}" ${why}`, { details: { option: what } }); };
  return text.replace(/%([\s\S]?)|\$\{([^}]*)(\}?)/g, (whole, letter: string | undefined, name: string | undefined, close: string | undefined) => {
    if (letter !== undefined) {
      if (letter === '%') return '%';
      return tokens[letter] ?? refuse(letter === '' ? 'ends in a lone %' : `uses %${letter}, which is not known there`);
    }
    if (env === null) return whole;
    if (close === '' || name === undefined || name === '') return refuse('has an unfinished ${…}');
    return env[name] ?? refuse(`uses \${${name}}, which is not set in the environment of Vessel`);
  });
}

/** `~` and `~/…` are the home, `~name/…` the one of another user. Throws SSH_CONFIG_INVALID for a user that is not known. */
export function expandTilde(path: string, homeDirectory: string): string {
  const [, name, rest] = /^~([^/]*)(?:\/([\s\S]*))?$/.exec(path) ?? [];
  if (name === undefined) return path;
  const home = name === '' ? homeDirectory : homeOf(name);
  if (home === null) throw new VesselError('SSH_CONFIG_INVALID', `"${path}" names the home of ${name}, whom this computer does not know`);
  return rest === undefined ? home : join(home, rest);
}

function homeOf(user: string): string | null {
  try {
    const entry = readFileSync('/etc/passwd', 'utf8').split('\n').find((line) => line.startsWith(`${user}:`));
    return entry?.split(':')[5] ?? null;
  } catch {
    return null; // no such list on this system
  }
}
