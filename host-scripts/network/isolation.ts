import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { VesselError } from '#shared/errors.ts';
import { runChecked, runCommand } from '../system/run-command.ts';
import type { RunUser } from '../system/run-user.ts';

export const ISOLATION_TABLE = 'vessel';
const FAMILY = 'inet';
const NFT_DEADLINE_MS = 10_000;

/** The host's IPv4 resolvers: the one thing among its own addresses that a guest's forwarder may have to reach. */
export async function hostResolvers(path = '/etc/resolv.conf'): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8');
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '').filter((address) => isIPv4(address));
}

/**
 * The rules for everything that runs as the service user, which is to say for every guest: passt makes a guest's connections as
 * sockets of that user. Answers to connections that the host made to a guest are `established` and pass.
 */
export function isolationRules(uid: number, resolvers: readonly string[]): string {
  const dns = resolvers.length === 0 ? '' : `    ip daddr { ${[...new Set(resolvers)].join(', ')} } meta l4proto { tcp, udp } th dport 53 accept\n`;
  return `table ${FAMILY} ${ISOLATION_TABLE} {
  chain guests {
    type filter hook output priority filter; policy accept;
    meta skuid != ${uid} accept
    ct state established,related accept
${dns}    meta nfproto ipv6 counter reject
    ip daddr 169.254.0.0/16 counter reject
    fib daddr type { local, broadcast, multicast, anycast } counter reject
  }
}
`;
}

/** The table as the kernel has it now, without counters; null when there is none. */
async function currentTable(): Promise<string | null> {
  const listed = await runCommand(['nft', '--stateless', 'list', 'table', FAMILY, ISOLATION_TABLE], { deadlineMs: NFT_DEADLINE_MS });
  return listed.code === 0 ? listed.stdout : null;
}

/** Whether the table forbids what it should: compared by its parts, as nft prints rules in its own words. */
export async function isolationHolds(user: RunUser, resolvers: readonly string[]): Promise<boolean> {
  const table = await currentTable();
  if (table === null) return false;
  const wanted = [/hook output/, new RegExp(`skuid != (?:${user.uid}|"?${user.name}"?) accept`), /169\.254\.0\.0\/16/, /fib daddr type \{/, /nfproto ipv6/, ...resolvers.map((address) => new RegExp(address.replaceAll('.', '\\.')))];
  return wanted.every((pattern) => pattern.test(table));
}

/** Makes the table, or makes it anew when something of it is missing. Idempotent; resolves to whether it changed anything. Throws HOST_PERMISSION. */
export async function ensureIsolation(user: RunUser): Promise<boolean> {
  const resolvers = await hostResolvers();
  if (await isolationHolds(user, resolvers)) return false;
  // One transaction: there is no moment without rules.
  const script = `add table ${FAMILY} ${ISOLATION_TABLE}\ndelete table ${FAMILY} ${ISOLATION_TABLE}\n${isolationRules(user.uid, resolvers)}`;
  try {
    await runChecked(['nft', '--file', '-'], { stdin: script, deadlineMs: NFT_DEADLINE_MS });
  } catch (error) {
    throw new VesselError('HOST_PERMISSION', 'the rules that keep guests away from this host cannot be set', {
      cause: error, hint: 'Check that nftables works: nft list tables', details: { reason: VesselError.from(error).message },
    });
  }
  return true;
}

/** Removes the table; resolves to whether there was one. */
export async function removeIsolation(): Promise<boolean> {
  if (await currentTable() === null) return false;
  await runChecked(['nft', 'delete', 'table', FAMILY, ISOLATION_TABLE], { deadlineMs: NFT_DEADLINE_MS });
  return true;
}
