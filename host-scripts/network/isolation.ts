import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { VesselError } from '#shared/errors.ts';
import { MACHINE_UIDS } from '../system/machine-user.ts';
import { runChecked, runCommand } from '../system/run-command.ts';
import type { RunUser } from '../system/run-user.ts';

export const ISOLATION_TABLE = 'vessel';
/** For the uids of single machines. A table of its own: an older agent on the same computer makes the other one anew as it knows it. */
const MACHINES_TABLE = 'vessel_machines';
const FAMILY = 'inet';
const NFT_DEADLINE_MS = 10_000;
const LAST_UID = MACHINE_UIDS.first + MACHINE_UIDS.count - 1;

/** The host's IPv4 resolvers: the one thing among its own addresses that a guest's forwarder may have to reach. */
export async function hostResolvers(path = '/etc/resolv.conf'): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8');
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '').filter((address) => isIPv4(address));
}

/**
 * The rules for everything that runs as these users, which is to say for every guest: passt makes a guest's connections as
 * sockets of its machine's user. Answers to connections that the host made to a guest are `established` and pass.
 */
function isolationRules(table: string, uids: string, resolvers: readonly string[]): string {
  const dns = resolvers.length === 0 ? '' : `    ip daddr { ${[...new Set(resolvers)].join(', ')} } meta l4proto { tcp, udp } th dport 53 accept\n`;
  return `table ${FAMILY} ${table} {
  chain guests {
    type filter hook output priority filter; policy accept;
    meta skuid != ${uids} accept
    ct state established,related accept
${dns}    meta nfproto ipv6 counter reject
    ip daddr 169.254.0.0/16 counter reject
    fib daddr type { local, broadcast, multicast, anycast } counter reject
  }
}
`;
}

type Table = { readonly name: string; readonly uids: string; /** As nft prints the users. */ readonly printed: RegExp };
const tablesFor = (user: RunUser): readonly Table[] => [
  { name: ISOLATION_TABLE, uids: String(user.uid), printed: new RegExp(`skuid != (?:${user.uid}|"?${user.name}"?) accept`) },
  { name: MACHINES_TABLE, uids: `${MACHINE_UIDS.first}-${LAST_UID}`, printed: new RegExp(`skuid != ${MACHINE_UIDS.first}-${LAST_UID} accept`) },
];

/** The table as the kernel has it now, without counters; null when there is none. */
async function currentTable(name: string): Promise<string | null> {
  const listed = await runCommand(['nft', '--stateless', 'list', 'table', FAMILY, name], { deadlineMs: NFT_DEADLINE_MS });
  return listed.code === 0 ? listed.stdout : null;
}

/** Whether a table forbids what it should: compared by its parts, as nft prints rules in its own words. */
async function tableHolds({ name, printed }: Table, resolvers: readonly string[]): Promise<boolean> {
  const table = await currentTable(name);
  if (table === null) return false;
  const wanted = [/hook output/, printed, /169\.254\.0\.0\/16/, /fib daddr type \{/, /nfproto ipv6/, ...resolvers.map((address) => new RegExp(address.replaceAll('.', '\\.')))];
  return wanted.every((pattern) => pattern.test(table));
}

/** Whether guests are kept away from what is forbidden to them. */
export async function isolationHolds(user: RunUser, resolvers: readonly string[]): Promise<boolean> {
  return (await Promise.all(tablesFor(user).map((table) => tableHolds(table, resolvers)))).every((holds) => holds);
}

/** Makes the tables, or makes one anew when something of it is missing. Idempotent; resolves to whether it changed anything. Throws HOST_PERMISSION. */
export async function ensureIsolation(user: RunUser): Promise<boolean> {
  const resolvers = await hostResolvers();
  const changed = await Promise.all(tablesFor(user).map(async (table) => {
    if (await tableHolds(table, resolvers)) return false;
    // One transaction: there is no moment without rules.
    const script = `add table ${FAMILY} ${table.name}\ndelete table ${FAMILY} ${table.name}\n${isolationRules(table.name, table.uids, resolvers)}`;
    try {
      await runChecked(['nft', '--file', '-'], { stdin: script, deadlineMs: NFT_DEADLINE_MS });
    } catch (error) {
      throw new VesselError('HOST_PERMISSION', 'the rules that keep guests away from this host cannot be set', {
        cause: error, hint: 'Check that nftables works: nft list tables', details: { reason: VesselError.from(error).message },
      });
    }
    return true;
  }));
  return changed.includes(true);
}

/** Removes the tables; resolves to whether there were any. */
export async function removeIsolation(): Promise<boolean> {
  const removed = await Promise.all([ISOLATION_TABLE, MACHINES_TABLE].map(async (name) => {
    if (await currentTable(name) === null) return false;
    await runChecked(['nft', 'delete', 'table', FAMILY, name], { deadlineMs: NFT_DEADLINE_MS });
    return true;
  }));
  return removed.includes(true);
}
