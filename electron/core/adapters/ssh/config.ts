import { isAbsolute, join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { readConfig, type ConfigCondition, type ConfigLine } from './config-files.ts';
import { matchesPattern } from './known-hosts.ts';
import type { SshTarget } from './target.ts';

/** What of the process and its user decides how hosts are reached; passed in, so that tests own it. */
export type SshEnvironment = {
  readonly homeDirectory: string;
  readonly localUser: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `~/.ssh/config` first, then the system's. */
  readonly configFiles: readonly string[];
  readonly globalKnownHostsFiles: readonly string[];
};

/** One machine on the way, with everything the configuration says about it. Paths are absolute. */
export type SshHop = {
  readonly alias: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeyAlias: string | null;
  readonly knownHostsFiles: readonly string[];
  /** Keys that were named; the usual ones when none was. */
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** Socket of the agent; null when there is none or it must not be used. */
  readonly agentSocket: string | null;
  readonly connectTimeoutMs: number;
  readonly keepaliveMs: number;
  readonly keepaliveCount: number;
  readonly proxyJump: string | null;
};

/** ssh(1) tries these when no IdentityFile is given; DSA and hardware keys are left out, because ssh2 cannot sign with them. */
const USUAL_KEYS = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
/** A host across the world answers in half a second; beyond this something swallows the packets. */
const CONNECT_TIMEOUT_MS = 15_000;
/** A dead line is noticed after about 15 s, soon enough for a person who waits. */
const KEEPALIVE_MS = 5_000;
const KEEPALIVE_COUNT = 3;

/** What the configuration says about one target. Throws SSH_CONFIG_INVALID; what it cannot do is refused, not ignored. */
export function resolveHop(target: SshTarget, environment: SshEnvironment): SshHop {
  const options = collect(target, environment);
  const one = (keyword: string): string | null => options.get(keyword)?.[0]?.[0] ?? null;
  const every = (keyword: string): readonly string[] => options.get(keyword)?.[0] ?? [];
  const command = every('proxycommand').join(' ');
  if (command !== '' && command !== 'none' && one('proxyjump') === null) throw new VesselError('SSH_CONFIG_INVALID', `${target.host} is reached by a ProxyCommand, which Vessel does not run`, { hint: 'Use ProxyJump instead.', details: { host: target.host } });

  const host = expand(one('hostname') ?? target.host, { h: target.host });
  const user = target.user ?? one('user') ?? environment.localUser;
  const port = target.port ?? wholeNumber(one('port'), 'Port', 1) ?? 22;
  const tokens = { h: host, n: target.host, p: String(port), r: user, u: environment.localUser, d: environment.homeDirectory, l: '', L: '' };
  const path = (text: string): string => absolute(expand(text, tokens), environment);
  const named = (options.get('identityfile') ?? []).flatMap((values) => values).filter((file) => file !== 'none');
  const knownHosts = every('userknownhostsfile').filter((file) => file !== 'none');
  const globalHosts = every('globalknownhostsfile').filter((file) => file !== 'none');
  return {
    alias: target.host, host, port, user,
    hostKeyAlias: one('hostkeyalias'),
    knownHostsFiles: [
      ...(options.has('userknownhostsfile') ? knownHosts : ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']).map(path),
      ...(options.has('globalknownhostsfile') ? globalHosts.map(path) : environment.globalKnownHostsFiles),
    ],
    identityFiles: (options.has('identityfile') ? named : USUAL_KEYS.map((name) => `~/.ssh/${name}`)).map(path),
    identitiesOnly: yes(one('identitiesonly')),
    agentSocket: agentSocket(one('identityagent'), path, environment),
    connectTimeoutMs: seconds(one('connecttimeout'), 'ConnectTimeout') ?? CONNECT_TIMEOUT_MS,
    // 0 is OpenSSH's "off"; a pooled connection that nobody probes would look alive for hours.
    keepaliveMs: seconds(one('serveraliveinterval'), 'ServerAliveInterval') ?? KEEPALIVE_MS,
    keepaliveCount: wholeNumber(one('serveralivecountmax'), 'ServerAliveCountMax', 1) ?? KEEPALIVE_COUNT,
    proxyJump: one('proxyjump') === 'none' ? null : one('proxyjump'),
  };
}

/** The first value of each keyword wins; IdentityFile and CertificateFile add up. */
function collect(target: SshTarget, environment: SshEnvironment): ReadonlyMap<string, readonly (readonly string[])[]> {
  const options = new Map<string, (readonly string[])[]>();
  const take = (line: ConfigLine): void => {
    const known = options.get(line.keyword);
    if (known === undefined) options.set(line.keyword, [line.values]);
    else if (line.keyword === 'identityfile') known.push(line.values);
  };
  const seen = { user: (): string => target.user ?? options.get('user')?.[0]?.[0] ?? environment.localUser, host: (): string => expand(options.get('hostname')?.[0]?.[0] ?? target.host, { h: target.host }) };
  for (const file of environment.configFiles) {
    for (const line of readConfig(file, environment.homeDirectory)) {
      if (line.under.every((condition) => applies(condition, target.host, seen, environment.localUser))) take(line);
    }
  }
  return options;
}

function applies(condition: ConfigCondition, original: string, seen: { readonly user: () => string; readonly host: () => string }, localUser: string): boolean {
  if (condition.kind === 'host') return matchesList(condition.patterns, original);
  return condition.criteria.every(({ name, value }) => {
    const negated = name.startsWith('!');
    const holds = ((): boolean | null => {
      switch (name.replace(/^!/, '')) {
        case 'all': return true;
        case 'host': return matchesList(value.split(','), seen.host());
        case 'originalhost': return matchesList(value.split(','), original);
        case 'user': return matchesList(value.split(','), seen.user());
        case 'localuser': return matchesList(value.split(','), localUser);
        // No names are made canonical and no second pass is made; commands of the configuration are never run.
        case 'canonical': case 'final': return false;
        default: return null;
      }
    })();
    // What is not understood (exec, localnetwork, tagged) can neither hold nor, negated, be known not to.
    return holds !== null && holds !== negated;
  });
}

function matchesList(patterns: readonly string[], text: string): boolean {
  const lower = text.toLowerCase();
  const [against, wanted] = [patterns.filter((pattern) => pattern.startsWith('!')), patterns.filter((pattern) => !pattern.startsWith('!'))];
  if (against.some((pattern) => matchesPattern(pattern.slice(1).toLowerCase(), lower))) return false;
  return wanted.some((pattern) => matchesPattern(pattern.toLowerCase(), lower));
}

function agentSocket(configured: string | null, path: (text: string) => string, { env }: SshEnvironment): string | null {
  const inherited = env['SSH_AUTH_SOCK'] ?? null;
  if (configured === null || configured === 'SSH_AUTH_SOCK') return inherited === '' ? null : inherited;
  if (configured === 'none') return null;
  if (configured.startsWith('$')) return env[configured.replace(/^\$\{?|\}$/g, '')] ?? null;
  return path(configured);
}

/** `%x` of ssh_config(5), TOKENS. Throws SSH_CONFIG_INVALID for one that is not known here. */
function expand(text: string, tokens: Readonly<Record<string, string>>): string {
  return text.replace(/%(.)/g, (_whole, name: string) => {
    if (name === '%') return '%';
    const value = tokens[name];
    if (value === undefined) throw new VesselError('SSH_CONFIG_INVALID', `"${text}" uses %${name}, which Vessel does not know there`);
    return value;
  });
}

function absolute(path: string, { homeDirectory, env }: SshEnvironment): string {
  const filled = path.replace(/\$\{(\w+)\}/g, (_whole, name: string) => env[name] ?? '');
  if (filled === '~' || filled.startsWith('~/')) return join(homeDirectory, filled.slice(1));
  return isAbsolute(filled) ? filled : join(homeDirectory, filled);
}

const yes = (text: string | null): boolean => text !== null && ['yes', 'true'].includes(text.toLowerCase());

function wholeNumber(text: string | null, keyword: string, least: number): number | null {
  if (text === null) return null;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least) throw new VesselError('SSH_CONFIG_INVALID', `${keyword} "${text}" is no whole number from ${least}`);
  return number;
}

/** Seconds of the configuration as milliseconds; 0 and `none` mean Vessel's own default. */
function seconds(text: string | null, keyword: string): number | null {
  if (text === null || text === 'none') return null;
  const number = wholeNumber(text.replace(/s$/i, ''), keyword, 0) ?? 0;
  return number === 0 ? null : number * 1000;
}
