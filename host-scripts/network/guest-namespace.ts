import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { VesselError } from '#shared/errors.ts';
import { GUEST_CONTRACT_PORT } from '#shared/guest-protocol.ts';
import { GUEST_NETWORK } from '../../images/recipe/index.ts';
import { readFileOrNull } from '../system/atomic-file.ts';
import { runChecked, runCommand } from '../system/run-command.ts';
import type { RunUser } from '../system/run-user.ts';
import { hostResolvers } from './isolation.ts';

/** The same in every namespace, like the guest's own address: nothing in a guest has to change after a restore. */
export const TAP_NAME = 'tap0';
const UPLINK = 'eth0';
/** Host ends of the pairs: `vsl<number>`. */
const PAIR_PREFIX = 'vsl';
/** Each guest gets four addresses of 10.213.0.0/16: the host's end and the namespace's end of a pair. */
const FIRST_OCTETS = '10.213';
const PAIRS = 16_384;
export const NAMESPACE_NETWORK = `${FIRST_OCTETS}.0.0/16`;
const HOST_TABLE = 'vessel_taps';
const DEADLINE_MS = 10_000;
const NAME_LENGTH = 12;

export type GuestNamespace = {
  readonly name: string;
  readonly path: string;
  /** Where the host reaches the guest's agent. */
  readonly host: string;
  readonly port: number;
};

/** The namespace of what lives in `directory`. */
export const namespaceName = (directory: string): string => `vessel-${createHash('sha256').update(directory).digest('hex').slice(0, NAME_LENGTH)}`;
const pathOf = (name: string): string => `/var/run/netns/${name}`;
const ip = (...args: string[]): Promise<unknown> => runChecked(['ip', ...args], { deadlineMs: DEADLINE_MS });

function addressesOf(pair: number): { readonly host: string; readonly inside: string } {
  const base = (pair % 64) * 4;
  const net = `${FIRST_OCTETS}.${Math.floor(pair / 64)}`;
  return { host: `${net}.${base + 1}`, inside: `${net}.${base + 2}` };
}

/** Rules in a guest's own namespace: in, only its agent; out, everything but link-local and the other guests. The rest is the host's table. */
export function namespaceRules(inside: string, agentPort: number): string {
  return `table ip vessel {
  chain in { type nat hook prerouting priority dstnat; iifname "${UPLINK}" ip daddr ${inside} tcp dport ${GUEST_CONTRACT_PORT} dnat to ${GUEST_NETWORK.address}:${agentPort}; }
  chain out { type nat hook postrouting priority srcnat; masquerade; }
  chain input { type filter hook input priority filter; policy drop; ct state established,related accept; iifname "lo" accept; iifname "${UPLINK}" tcp dport ${agentPort} accept; }
  chain forward { type filter hook forward priority filter; policy drop; ct state established,related accept; iifname "${UPLINK}" ct status dnat accept; iifname "${TAP_NAME}" oifname "${UPLINK}" ip daddr != { 169.254.0.0/16, ${NAMESPACE_NETWORK} } accept; }
}
`;
}

/** Rules of the host for all guests' pairs: nothing to the host itself but answers and its resolvers, nothing to each other, no link-local address. */
export function hostRules(resolvers: readonly string[]): string {
  const dns = resolvers.length === 0 ? '' : `    iifname "${PAIR_PREFIX}*" ip daddr { ${[...new Set(resolvers)].join(', ')} } meta l4proto { tcp, udp } th dport 53 accept\n`;
  return `table inet ${HOST_TABLE} {
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "${PAIR_PREFIX}*" ct state established,related accept
${dns}    iifname "${PAIR_PREFIX}*" counter drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "${PAIR_PREFIX}*" oifname "${PAIR_PREFIX}*" counter drop
    iifname "${PAIR_PREFIX}*" ip daddr 169.254.0.0/16 counter drop
  }
  chain out {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${NAMESPACE_NETWORK} oifname != "${PAIR_PREFIX}*" masquerade
  }
}
`;
}

/** Resolvers that a guest behind a pair can ask: the host's, unless they only listen on its loopback; then those it asks itself. */
export async function reachableResolvers(): Promise<readonly string[]> {
  const own = (await hostResolvers()).filter((address) => !address.startsWith('127.'));
  if (own.length > 0) return own;
  const text = await readFileOrNull('/run/systemd/resolve/resolv.conf') ?? '';
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '').filter((address) => isIPv4(address) && !address.startsWith('127.'));
}

/** Makes sure that the host's rules hold and that it forwards. Must hold before a guest runs. Throws HOST_PERMISSION. */
export async function ensureHostRules(): Promise<void> {
  const script = `add table inet ${HOST_TABLE}\ndelete table inet ${HOST_TABLE}\n${hostRules(await reachableResolvers())}`;
  try {
    if ((await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim() !== '1') throw new VesselError('HOST_NOT_READY', 'the host does not forward packets', { hint: 'sysctl -w net.ipv4.ip_forward=1, and write it to /etc/sysctl.d.' });
    await runChecked(['nft', '--file', '-'], { stdin: script, deadlineMs: DEADLINE_MS });
  } catch (error) {
    if (VesselError.from(error).code === 'HOST_NOT_READY') throw error;
    throw new VesselError('HOST_PERMISSION', 'the rules that keep guests away from this host cannot be set', { cause: error, hint: 'Check that nftables works: nft list tables' });
  }
}

/** Removes the host's rules; resolves to whether there were any. */
export async function removeHostRules(): Promise<boolean> {
  return (await runCommand(['nft', 'delete', 'table', 'inet', HOST_TABLE], { deadlineMs: DEADLINE_MS })).code === 0;
}

/** Takes the first free pair, beginning at a number that follows from the name; making the link is what reserves it. */
async function makePair(name: string): Promise<number> {
  const first = Number.parseInt(createHash('sha256').update(name).digest('hex').slice(0, 8), 16);
  for (let attempt = 0; attempt < PAIRS; attempt += 1) {
    const pair = (first + attempt) % PAIRS;
    const made = await runCommand(['ip', 'link', 'add', `${PAIR_PREFIX}${pair}`, 'type', 'veth', 'peer', 'name', UPLINK, 'netns', name], { deadlineMs: DEADLINE_MS });
    if (made.code === 0) return pair;
    if (!made.stderr.includes('File exists')) throw new VesselError('VM_START_FAILED', `no network pair can be made: ${made.stderr.trim()}`);
  }
  throw new VesselError('VM_START_FAILED', 'all network pairs are in use');
}

/** A namespace with a tap for one guest, which the host reaches at an address of its own; the guest's agent listens on `agentPort`. What an earlier one left is removed first. */
export async function makeNamespace(directory: string, user: RunUser, agentPort: number): Promise<GuestNamespace> {
  const name = namespaceName(directory);
  await removeNamespace(directory);
  await ip('netns', 'add', name);
  const pair = await makePair(name);
  const { host, inside } = addressesOf(pair);
  await ip('addr', 'add', `${host}/30`, 'dev', `${PAIR_PREFIX}${pair}`);
  await ip('link', 'set', `${PAIR_PREFIX}${pair}`, 'up');
  await ip('-n', name, 'link', 'set', 'lo', 'up');
  await ip('-n', name, 'addr', 'add', `${inside}/30`, 'dev', UPLINK);
  await ip('-n', name, 'link', 'set', UPLINK, 'up');
  await ip('-n', name, 'route', 'add', 'default', 'via', host);
  await ip('-n', name, 'tuntap', 'add', TAP_NAME, 'mode', 'tap', 'user', String(user.uid));
  await ip('-n', name, 'addr', 'add', `${GUEST_NETWORK.gateway}/${GUEST_NETWORK.prefix}`, 'dev', TAP_NAME);
  await ip('-n', name, 'link', 'set', TAP_NAME, 'up');
  await runChecked(['ip', 'netns', 'exec', name, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'], { deadlineMs: DEADLINE_MS });
  await runChecked(['ip', 'netns', 'exec', name, 'nft', '--file', '-'], { stdin: namespaceRules(inside, agentPort), deadlineMs: DEADLINE_MS });
  return { name, path: pathOf(name), host: inside, port: GUEST_CONTRACT_PORT };
}

/** Removes the namespace and, with it, its pair and tap. A no-op when there is none. */
export async function removeNamespace(directory: string): Promise<void> {
  const removed = await runCommand(['ip', 'netns', 'del', namespaceName(directory)], { deadlineMs: DEADLINE_MS });
  if (removed.code !== 0 && !removed.stderr.includes('No such file')) throw new VesselError('INTERNAL', `the network namespace cannot be removed: ${removed.stderr.trim()}`);
}
