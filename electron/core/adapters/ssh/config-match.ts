import { BlockList, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { endGroup, shellOf, spawnShell } from './shell-command.ts';
import { invalidLine, splitWord, type ConfigLine } from './config-line.ts';
import { matchesPattern } from './known-hosts.ts';
import { expand, type Tokens } from './tokens.ts';

/** What a `Match` line can ask about, as far as the lines before it have decided. */
export type MatchFacts = {
  readonly original: string;
  readonly host: string;
  readonly user: string;
  readonly localUser: string;
  readonly tag: string;
  /** The configuration is read for the second time. */
  readonly finalPass: boolean;
  readonly tokens: Tokens;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Hears of criteria that are not known here. */
  readonly note: (text: string) => void;
};

export type MatchResult = { readonly holds: boolean; /** It asks for a second pass. */ readonly wantsFinal: boolean };

/** ssh(1) waits without end; a command that hangs must not hold a connection for ever. */
const EXEC_DEADLINE_MS = 20_000;

/**
 * Whether a `Match` line holds, in OpenSSH's order: a command is run only when everything before it holds. `can` is false in
 * a file that is included by a block that does not hold. Throws SSH_CONFIG_INVALID.
 */
export async function matches(line: ConfigLine, facts: MatchFacts, can: boolean): Promise<MatchResult> {
  let holds = can;
  let wantsFinal = false;
  let count = 0;
  for (let next = splitWord(line.rest); next !== null && next.word !== '' && !next.word.startsWith('#'); next = splitWord(next.rest)) {
    const negated = next.word.startsWith('!');
    const name = next.word.slice(negated ? 1 : 0).toLowerCase();
    if (name === 'all') {
      const after = splitWord(next.rest);
      if (count > 1 || (after !== null && after.word !== '' && !after.word.startsWith('#'))) throw invalidLine(line, '"all" cannot be combined with other conditions');
      return { holds: holds && !negated, wantsFinal };
    }
    count += 1;
    if (name === 'canonical' || name === 'final') {
      wantsFinal ||= name === 'final';
      if (facts.finalPass === negated) holds = false;
      continue;
    }
    next = splitWord(next.rest);
    if (next === null || next.word === '' || next.word.startsWith('#')) throw invalidLine(line, `nothing to compare "${name}" with`);
    if (name === 'exec' && !holds) continue;
    const found = await judge(name, next.word, line, facts);
    if (found === null) facts.note(`Match ${name} (${line.file} line ${line.line}) is not known to Vessel and never holds`);
    if (found === null || found === negated) holds = false;
  }
  if (count === 0) throw invalidLine(line, 'a Match without conditions');
  return { holds, wantsFinal };
}

/** null for what is not known here. */
async function judge(name: string, value: string, line: ConfigLine, facts: MatchFacts): Promise<boolean | null> {
  switch (name) {
    case 'host': return matchesList(value.toLowerCase(), facts.host.toLowerCase());
    case 'originalhost': return matchesList(value.toLowerCase(), facts.original.toLowerCase());
    case 'user': return matchesList(value, facts.user);
    case 'localuser': return matchesList(value, facts.localUser);
    case 'tagged': return matchesList(value, facts.tag);
    case 'localnetwork': return inNetwork(value, line);
    case 'exec': return succeeds(expand(value, { tokens: facts.tokens, env: null, what: 'Match exec' }), line, facts.env);
    default: return null;
  }
}

/** PATTERNS of ssh_config(5): one that fits with `!` before it decides. */
export function matchesList(patterns: string, text: string): boolean {
  const all = patterns.split(',');
  if (all.some((pattern) => pattern.startsWith('!') && matchesPattern(pattern.slice(1), text))) return false;
  return all.some((pattern) => !pattern.startsWith('!') && matchesPattern(pattern, text));
}

function inNetwork(networks: string, line: ConfigLine): boolean {
  const list = new BlockList();
  for (const network of networks.split(',')) {
    const [address = '', bits] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    try {
      if (bits === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(bits), family);
    } catch {
      throw invalidLine(line, `"${network}" is no network`);
    }
  }
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address, family }) => list.check(address, family === 'IPv6' ? 'ipv6' : 'ipv4')) === true);
}

/** Runs a command of the person's own configuration in the person's shell, as ssh(1) does; zero means that it holds. */
function succeeds(command: string, line: ConfigLine, env: MatchFacts['env']): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawnShell(shellOf(env), command, 'ignore', env);
    const timer = setTimeout(() => {
      endGroup(child, 'SIGKILL');
      reject(invalidLine(line, `the command of Match exec did not end within ${EXEC_DEADLINE_MS / 1000} s`));
    }, EXEC_DEADLINE_MS);
    child.once('error', (error) => { clearTimeout(timer); reject(invalidLine(line, `the command of Match exec cannot be run: ${error.message}`)); });
    child.once('exit', (code) => { clearTimeout(timer); resolve(code === 0); });
  });
}
