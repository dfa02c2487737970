import { isAbsolute, join } from 'node:path';
import { chooseAlgorithms, CIPHERS, HOST_KEYS, KEY_EXCHANGES, MACS, type AlgorithmChoice } from './algorithms.ts';
import { noticesOf } from './config-notices.ts';
import { invalidLine, type ConfigLine } from './config-line.ts';
import { hostNameOf, readOptions } from './config-read.ts';
import { flag, milliseconds, portNumber, single, wholeNumber } from './config-values.ts';
import { shellOf } from './shell-command.ts';
import type { SshEnvironment } from './ssh-environment.ts';
import type { SshTarget } from './target.ts';
import { expand, expandTilde, tokensOf, type Tokens } from './tokens.ts';

export type { SshEnvironment } from './ssh-environment.ts';

export type LoginMethod = 'publickey' | 'keyboard-interactive' | 'password';

/** One machine on the way, with everything the configuration says about it. Paths are absolute. */
export type SshHop = {
  readonly alias: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeyAlias: string | null;
  readonly knownHostsFiles: readonly string[];
  readonly revokedKeysFile: string | null;
  /** Keys that were named; the usual ones when none was. */
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** Socket of the agent; null when there is none or it must not be used. */
  readonly agentSocket: string | null;
  /** The ways to log in that are allowed, in the order in which they are tried. */
  readonly methods: readonly LoginMethod[];
  readonly passwordAttempts: number;
  readonly algorithms: AlgorithmChoice;
  readonly connectTimeoutMs: number;
  readonly keepaliveMs: number;
  readonly keepaliveCount: number;
  /** 0 is any. */
  readonly addressFamily: 0 | 4 | 6;
  readonly bindAddress: string | null;
  readonly proxyJump: string | null;
  /** What carries the connection instead of TCP, for the shell. */
  readonly proxyCommand: { readonly shell: string; readonly command: string } | null;
  /** What the configuration asks for and Vessel does not do, for people. */
  readonly notices: readonly string[];
};

/** ssh(1) tries these, in this order, when no IdentityFile is given; DSA and hardware keys are left out, because ssh2 cannot sign with them. */
const USUAL_KEYS = ['id_rsa', 'id_ecdsa', 'id_ed25519'];
/** A host across the world answers in half a second; beyond this something swallows the packets. */
const CONNECT_TIMEOUT_MS = 15_000;
/** A dead line is noticed after about 15 s, soon enough for a person who waits. */
const KEEPALIVE_MS = 5_000;
const KEEPALIVE_COUNT = 3;
/** As ssh(1): NumberOfPasswordPrompts. */
const PASSWORD_ATTEMPTS = 3;
const METHODS: readonly LoginMethod[] = ['publickey', 'keyboard-interactive', 'password'];
const FAMILIES: Readonly<Record<string, 0 | 4 | 6>> = { any: 0, inet: 4, inet6: 6 };

/**
 * What the configuration says about one target, as ssh(1) reads it; runs the commands of `Match exec`. Throws
 * SSH_CONFIG_INVALID; what Vessel cannot do and a login may hang on is named in `notices`.
 */
export async function resolveHop(target: SshTarget, environment: SshEnvironment): Promise<SshHop> {
  const { lines, notices } = await readOptions(target, environment);
  const first = (keyword: string): ConfigLine | undefined => lines.get(keyword)?.[0];
  const parsed = <T>(keyword: string, parse: (line: ConfigLine) => T): T | null => { const line = first(keyword); return line === undefined ? null : parse(line); };
  const yes = (keyword: string, otherwise: boolean): boolean => parsed(keyword, flag) ?? otherwise;
  const { homeDirectory, localUser, env } = environment;

  const host = hostNameOf(target, first('hostname'));
  const user = target.user ?? parsed('user', single) ?? localUser;
  const port = target.port ?? parsed('port', portNumber) ?? 22;
  const hostKeyAlias = parsed('hostkeyalias', single)?.toLowerCase() ?? null;
  const tokens = tokensOf({ original: target.host, host, port, user, hostKeyAlias, localUser, homeDirectory });
  const files = (keyword: string, usual: readonly string[]): readonly string[] => pathsOf(lines.get(keyword), usual, tokens, environment);
  const jump = parsed('proxyjump', ({ rest }) => (rest.replace(/^[\s=]+/, '').split('#', 1)[0] ?? '').trimEnd());
  const isJump = jump !== null && jump.toLowerCase() !== 'none';
  const command = parsed('proxycommand', ({ rest }) => rest.replace(/^[\s=]+/, ''));
  const isCommand = !isJump && command !== null && command.toLowerCase() !== 'none';
  return {
    alias: target.host, host, port, user, hostKeyAlias,
    knownHostsFiles: [...files('userknownhostsfile', ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']), ...files('globalknownhostsfile', environment.globalKnownHostsFiles)],
    revokedKeysFile: files('revokedhostkeys', [])[0] ?? null,
    identityFiles: files('identityfile', USUAL_KEYS.map((name) => `~/.ssh/${name}`)),
    identitiesOnly: yes('identitiesonly', false),
    agentSocket: agentSocket(first('identityagent'), tokens, environment),
    methods: methodsOf(first),
    passwordAttempts: Math.max(1, parsed('numberofpasswordprompts', wholeNumber) ?? PASSWORD_ATTEMPTS),
    algorithms: { ciphers: chooseAlgorithms(first('ciphers'), CIPHERS), macs: chooseAlgorithms(first('macs'), MACS), kex: chooseAlgorithms(first('kexalgorithms'), KEY_EXCHANGES), hostKeys: chooseAlgorithms(first('hostkeyalgorithms'), HOST_KEYS) },
    // 0 is OpenSSH's "off"; a pooled connection that nobody probes would look alive for hours.
    connectTimeoutMs: parsed('connecttimeout', milliseconds) || CONNECT_TIMEOUT_MS,
    keepaliveMs: parsed('serveraliveinterval', milliseconds) || KEEPALIVE_MS,
    keepaliveCount: Math.max(1, parsed('serveralivecountmax', wholeNumber) ?? KEEPALIVE_COUNT),
    addressFamily: parsed('addressfamily', family) ?? 0,
    bindAddress: parsed('bindaddress', single),
    proxyJump: isJump ? expand(jump, { tokens: only(tokens, 'hnpr'), env: null, what: 'ProxyJump' }) : null,
    proxyCommand: isCommand ? { shell: shellOf(env), command: expand(command, { tokens: only(tokens, 'hknpr'), env: null, what: 'ProxyCommand' }) } : null,
    notices: [...notices, ...noticesOf(lines)],
  };
}

/** The files that lines name, with tokens, variables and `~`; `none` alone names no file. */
function pathsOf(lines: readonly ConfigLine[] | undefined, usual: readonly string[], tokens: Tokens, environment: SshEnvironment): readonly string[] {
  const named = lines?.flatMap((line) => (line.keyword.startsWith('identityfile') ? [single(line)] : line.args)).filter((file) => file.toLowerCase() !== 'none');
  // The system's lists know `~`, but no tokens.
  const plain = lines?.[0]?.keyword.startsWith('globalknownhosts') === true;
  return (named ?? usual).map((file) => absolute(plain ? expandTilde(file, environment.homeDirectory) : pathOf(file, lines?.[0]?.keyword ?? 'the usual file', tokens, environment), environment));
}

function pathOf(text: string, what: string, tokens: Tokens, { homeDirectory, env }: SshEnvironment): string {
  return expand(expandTilde(text, homeDirectory), { tokens, env, what });
}

/** ssh(1) takes a relative name from the folder where it was started; Vessel is started anywhere. */
function absolute(path: string, { homeDirectory }: SshEnvironment): string {
  return isAbsolute(path) ? path : join(homeDirectory, path);
}

function agentSocket(line: ConfigLine | undefined, tokens: Tokens, environment: SshEnvironment): string | null {
  const fromEnvironment = (name: string): string | null => { const socket = environment.env[name]; return socket === undefined || socket === '' ? null : socket; };
  if (line === undefined) return fromEnvironment('SSH_AUTH_SOCK');
  const text = single(line);
  if (text === 'SSH_AUTH_SOCK') return fromEnvironment('SSH_AUTH_SOCK');
  if (text === 'none') return null;
  if (text.startsWith('$') && !text.startsWith('${')) {
    if (!/^\$[A-Za-z_]\w*$/.test(text)) throw invalidLine(line, `"${text}" is no name of a variable`);
    return fromEnvironment(text.slice(1));
  }
  return absolute(pathOf(text, 'IdentityAgent', tokens, environment), environment);
}

function methodsOf(first: (keyword: string) => ConfigLine | undefined): readonly LoginMethod[] {
  const preferred = first('preferredauthentications');
  const allowed = (keyword: string): boolean => { const line = first(keyword); return line === undefined || single(line).toLowerCase() !== 'no'; };
  const batch = first('batchmode');
  const asks = batch === undefined || !flag(batch);
  const on: Readonly<Record<LoginMethod, boolean>> = { publickey: allowed('pubkeyauthentication'), 'keyboard-interactive': asks && allowed('kbdinteractiveauthentication'), password: asks && allowed('passwordauthentication') };
  const order = preferred === undefined ? METHODS : single(preferred).split(',').filter((name): name is LoginMethod => (METHODS as readonly string[]).includes(name));
  return [...new Set(order)].filter((method) => on[method]);
}

function family(line: ConfigLine): 0 | 4 | 6 {
  const found = FAMILIES[single(line).toLowerCase()];
  if (found === undefined) throw invalidLine(line, `"${single(line)}" is no family of addresses (any, inet, inet6)`);
  return found;
}

const only = (tokens: Tokens, letters: string): Tokens => Object.fromEntries(Object.entries(tokens).filter(([letter]) => letters.includes(letter)));
