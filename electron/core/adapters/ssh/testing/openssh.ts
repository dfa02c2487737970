import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';
import type { LoginMethod, SshEnvironment, SshHop } from '../config.ts';
import { formatTarget, parseTarget } from '../target.ts';

/** Why OpenSSH cannot be asked here; null when it can. */
export const whyNoSsh = (): string | null => spawnSync('ssh', ['-V']).status === 0 ? null : 'no ssh (apt-get install openssh-client)';

/** The person for whom both read: OpenSSH takes the home from the list of users, whatever HOME says. */
export const { homedir: home, username: localUser } = userInfo();
export const ENV = { HOME: home, PATH: process.env['PATH'] ?? '', SHELL: '/bin/sh', SSH_AUTH_SOCK: '/agent', OTHER: '/other' };
export const environmentOf = (file: string): SshEnvironment => ({ homeDirectory: home, localUser, env: ENV, configFiles: [file], globalKnownHostsFiles: ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'] });

/** What both say about a target, in the same words. */
export type Reading = {
  readonly host: string; readonly user: string; readonly port: number; readonly hostKeyAlias: string | null; readonly knownHosts: string; readonly identityFiles: readonly string[]; readonly identitiesOnly: boolean;
  readonly agent: string | null; readonly connectTimeout: number; readonly keepalive: number; readonly keepaliveCount: number; readonly family: string; readonly bindAddress: string | null;
  readonly proxyJump: string | null; readonly proxyCommand: string | null; readonly methods: readonly LoginMethod[];
};

const FAMILIES = { 0: 'any', 4: 'inet', 6: 'inet6' } as const;

export function readingOf(hop: SshHop): Reading {
  return {
    host: hop.host, user: hop.user, port: hop.port, hostKeyAlias: hop.hostKeyAlias, knownHosts: hop.knownHostsFiles.join(' '), identityFiles: hop.identityFiles, identitiesOnly: hop.identitiesOnly,
    agent: hop.agentSocket, connectTimeout: hop.connectTimeoutMs / 1000, keepalive: hop.keepaliveMs / 1000, keepaliveCount: hop.keepaliveCount, family: FAMILIES[hop.addressFamily], bindAddress: hop.bindAddress,
    // OpenSSH gives ssh://… in the short form.
    proxyJump: hop.proxyJump?.split(',').map((text) => formatTarget(parseTarget(text))).join(',') ?? null, proxyCommand: hop.proxyCommand?.command ?? null, methods: hop.methods,
  };
}

/** Every line of `ssh -G` by its keyword; throws with what ssh said when it does not take the configuration. */
export function askProgram(file: string, args: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const { status, stdout, stderr } = spawnSync('ssh', ['-G', '-F', file, ...args], { env: ENV, encoding: 'utf8' });
  if (status !== 0) throw new Error(`ssh refuses: ${stderr}`);
  const found = new Map<string, string[]>();
  for (const line of stdout.trim().split('\n')) {
    const [keyword = '', ...rest] = line.split(' ');
    found.set(keyword, [...found.get(keyword) ?? [], rest.join(' ')]);
  }
  return found;
}

/** Keys that ssh2 cannot use are left out of the usual ones. */
const UNUSABLE = /\/id_(ecdsa_sk|ed25519_sk|xmss|dsa)$/;

/** What OpenSSH makes of a configuration: `ssh -G`, and what it expands only while it connects, from `ssh -v` (to a command that ends at once). */
export function programReading(file: string, args: readonly string[]): Reading {
  const all = askProgram(file, args);
  const one = (keyword: string): string => all.get(keyword)?.[0] ?? '';
  const isCommand = all.has('proxycommand');
  const written = all.get('identityfile') ?? [];
  // Asked only where there is something that `ssh -G` does not expand.
  const { said, identityFiles } = isCommand || written.some((path) => !path.startsWith('~/.ssh/id_')) ? whileConnecting(file, args, isCommand) : { said: '', identityFiles: written.map((path) => path.replace('~', home)) };
  const seconds = (keyword: string, otherwise: number): number => { const text = one(keyword); return text === 'none' || text === '0' ? otherwise : Number(text); };
  const on = (keyword: string): boolean => !['no', 'false'].includes(one(keyword)) && (keyword === 'pubkeyauthentication' || one('batchmode') === 'no');
  const order = all.has('preferredauthentications') ? one('preferredauthentications').split(',') : ['publickey', 'keyboard-interactive', 'password'];
  const keyword: Readonly<Record<string, string>> = { publickey: 'pubkeyauthentication', 'keyboard-interactive': 'kbdinteractiveauthentication', password: 'passwordauthentication' };
  const socket = all.has('identityagent') ? one('identityagent') : 'SSH_AUTH_SOCK';
  const named = (name: string): string | null => (ENV as Readonly<Record<string, string>>)[name] ?? null;
  return {
    host: one('hostname'), user: one('user'), port: Number(one('port')), hostKeyAlias: all.get('hostkeyalias')?.[0] ?? null,
    // The `~` of the system's files is expanded later than it is printed.
    knownHosts: [...(one('userknownhostsfile') === 'none' ? [] : [one('userknownhostsfile')]), ...(one('globalknownhostsfile') === 'none' ? [] : [one('globalknownhostsfile').replaceAll(/(^| )~\//g, `$1${home}/`)])].join(' '),
    identityFiles: identityFiles.filter((path) => !UNUSABLE.test(path)), identitiesOnly: one('identitiesonly') === 'yes',
    agent: socket === 'none' ? null : socket === 'SSH_AUTH_SOCK' ? named('SSH_AUTH_SOCK') : socket.startsWith('$') ? named(socket.slice(1)) : socket,
    connectTimeout: seconds('connecttimeout', 15), keepalive: seconds('serveraliveinterval', 5), keepaliveCount: Math.max(1, Number(one('serveralivecountmax'))),
    family: one('addressfamily'), bindAddress: all.get('bindaddress')?.[0] ?? null,
    proxyJump: all.get('proxyjump')?.[0] ?? null, proxyCommand: isCommand ? /Executing proxy command: exec (.*?)\r?$/m.exec(said)?.[1] ?? '' : null,
    methods: order.filter((method): method is LoginMethod => keyword[method] !== undefined && on(keyword[method])),
  };
}

/** What ssh says of a connection over a command that ends at once. */
function whileConnecting(file: string, args: readonly string[], isCommand: boolean): { readonly said: string; readonly identityFiles: readonly string[] } {
  const { stderr: said } = spawnSync('ssh', ['-v', '-F', file, ...(isCommand ? [] : ['-o', 'ProxyCommand=false']), ...args], { env: ENV, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  // It has read everything when it misses the greeting of the server.
  if (!/kex_exchange_identification|banner exchange/.test(said)) throw new Error(`ssh refuses while it connects: ${said}`);
  return { said, identityFiles: [...said.matchAll(/^debug1: identity file (.*) type -?\d+\r?$/gm)].map(([, path]) => path ?? '').filter((path) => !path.endsWith('-cert')) };
}
