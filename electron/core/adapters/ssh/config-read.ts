import { isIP } from 'node:net';
import { VesselError } from '#shared/errors.ts';
import { includedFiles, readLines } from './config-files.ts';
import { invalidLine, type ConfigLine } from './config-line.ts';
import { matches } from './config-match.ts';
import { portNumber, single } from './config-values.ts';
import { matchesPattern } from './known-hosts.ts';
import type { SshEnvironment } from './ssh-environment.ts';
import type { SshTarget } from './target.ts';
import { expand, tokensOf } from './tokens.ts';

/** The lines that count for one target, by keyword. */
export type ConfigOptions = {
  readonly lines: ReadonlyMap<string, readonly ConfigLine[]>;
  /** What stands there and is not done, for people. */
  readonly notices: readonly string[];
};

/** The limit of OpenSSH (readconf.c, READCONF_MAX_DEPTH). */
const MAX_DEPTH = 16;
/** These add up; of every other keyword the first counts. */
const SEVERAL: ReadonlySet<string> = new Set(['identityfile', 'certificatefile']);
/** Of these `none` is as if nothing stood there. */
const NONE_IS_UNSET: ReadonlySet<string> = new Set(['connecttimeout', 'serveraliveinterval']);
/** Older names of the same. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  challengeresponseauthentication: 'kbdinteractiveauthentication', skeyauthentication: 'kbdinteractiveauthentication', tisauthentication: 'kbdinteractiveauthentication',
  dsaauthentication: 'pubkeyauthentication', globalknownhostsfile2: 'globalknownhostsfile', userknownhostsfile2: 'userknownhostsfile', protocolkeepalives: 'serveraliveinterval',
};

/**
 * Reads the configuration for a target as ssh(1) does (readconf.c): files in order, `Host` and `Match` by what is decided
 * so far, a second pass where `Match final` asks for one. Throws SSH_CONFIG_INVALID naming file and line.
 */
export async function readOptions(target: SshTarget, environment: SshEnvironment): Promise<ConfigOptions> {
  const reading = new Reading(target, environment);
  await reading.pass();
  if (reading.wantsFinal) await reading.pass();
  return { lines: reading.lines, notices: [...reading.notices] };
}

/** The name to dial: `HostName` with its `%h`, in lower case unless it is an address. */
export function hostNameOf(target: SshTarget, line: ConfigLine | undefined): string {
  const host = writtenHostName(target, line);
  return isIP(host.split('%')[0] ?? '') === 0 ? host.toLowerCase() : host;
}

function writtenHostName(target: SshTarget, line: ConfigLine | undefined): string {
  return line === undefined ? target.host : expand(single(line), { tokens: { h: target.host }, env: null, what: 'HostName' });
}

class Reading {
  readonly lines = new Map<string, ConfigLine[]>();
  readonly notices = new Set<string>();
  wantsFinal = false;
  readonly #target: SshTarget;
  readonly #environment: SshEnvironment;
  #passes = 0;

  constructor(target: SshTarget, environment: SshEnvironment) {
    this.#target = target;
    this.#environment = environment;
  }

  async pass(): Promise<void> {
    this.#passes += 1;
    // In the second pass `Host` looks at the name that the first one found.
    const name = this.#passes === 1 ? this.#target.host : this.#hostName();
    for (const [index, file] of this.#environment.configFiles.entries()) await this.#file(file, { user: index === 0, name, never: false, depth: 0 });
  }

  async #file(file: string, scope: { readonly user: boolean; readonly name: string; readonly never: boolean; readonly depth: number }): Promise<void> {
    let active = true;
    for (const line of this.#read(file, scope.user || scope.depth > 0, scope.depth)) {
      if (line.keyword === 'host') active = !scope.never && matchesHost(line.args, scope.name);
      else if (line.keyword === 'match') active = await this.#match(line, !scope.never);
      else if (line.keyword === 'include') {
        if (scope.depth >= MAX_DEPTH) throw invalidLine(line, 'files are included too deeply; one may include itself');
        for (const path of includedFiles(line, scope.user, this.#environment.homeDirectory)) await this.#file(path, { ...scope, never: scope.never || !active, depth: scope.depth + 1 });
      } else if (active && !scope.never) this.#take(line);
    }
  }

  #read(file: string, mustBeMine: boolean, depth: number): readonly ConfigLine[] {
    try {
      return readLines(file, mustBeMine);
    } catch (error) {
      if (error instanceof VesselError) throw error;
      // As ssh(1): what is included must be readable, the file itself need not be.
      if (depth > 0) throw new VesselError('SSH_CONFIG_INVALID', `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error, details: { file } });
      this.notices.add(`${file} cannot be read`);
      return [];
    }
  }

  #take(line: ConfigLine): void {
    const keyword = OTHER_NAMES[line.keyword] ?? line.keyword;
    if (NONE_IS_UNSET.has(keyword) && line.args[0]?.toLowerCase() === 'none') return;
    // Whichever of the two comes first counts; only a jump to nowhere leaves room for a command.
    if (keyword === 'proxyjump' && this.lines.has('proxycommand')) return;
    if (keyword === 'proxycommand' && this.lines.get('proxyjump')?.[0]?.args[0]?.toLowerCase() !== 'none' && this.lines.has('proxyjump')) return;
    const known = this.lines.get(keyword);
    if (known === undefined) this.lines.set(keyword, [line]);
    else if (SEVERAL.has(keyword) && !known.some(({ args }) => args[0] === line.args[0])) known.push(line);
  }

  async #match(line: ConfigLine, can: boolean): Promise<boolean> {
    const { localUser, homeDirectory, env } = this.#environment;
    const original = this.#target.host;
    // The first pass takes the name as it is written, the second as it is dialed.
    const host = this.#passes === 1 ? writtenHostName(this.#target, this.lines.get('hostname')?.[0]) : this.#hostName();
    const user = this.#target.user ?? this.#single('user') ?? localUser;
    const portLine = this.lines.get('port')?.[0];
    const port = this.#target.port ?? (portLine === undefined ? 22 : portNumber(portLine));
    const { holds, wantsFinal } = await matches(line, {
      original, host, user, localUser, tag: this.#single('tag') ?? '', finalPass: this.#passes > 1, env,
      tokens: tokensOf({ original, host, port, user, hostKeyAlias: this.#single('hostkeyalias'), localUser, homeDirectory }),
      note: (text) => { this.notices.add(text); },
    }, can);
    this.wantsFinal ||= wantsFinal;
    return holds;
  }

  #hostName(): string { return hostNameOf(this.#target, this.lines.get('hostname')?.[0]); }
  #single(keyword: string): string | null { const line = this.lines.get(keyword)?.[0]; return line === undefined ? null : single(line); }
}

/** Names in `Host` are compared as they are written, upper and lower case apart. */
function matchesHost(patterns: readonly string[], name: string): boolean {
  if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(pattern.slice(1), name))) return false;
  return patterns.some((pattern) => !pattern.startsWith('!') && matchesPattern(pattern, name));
}
