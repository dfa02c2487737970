import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

export type ListeningPort = { readonly port: number; readonly address: string; readonly process: string | null };

/** State of a listening socket in /proc/net/tcp. */
const TCP_LISTEN = '0A';

/** `0100007F` → `127.0.0.1`: each 32-bit group is in the machine's (little-endian) order. */
function parseAddress(hex: string): string {
  const bytes: number[] = [];
  for (let group = 0; group < hex.length; group += 8) {
    for (let index = 6; index >= 0; index -= 2) bytes.push(Number.parseInt(hex.slice(group + index, group + index + 2), 16));
  }
  if (bytes.length === 4) return bytes.join('.');
  const words: string[] = [];
  for (let index = 0; index < 16; index += 2) words.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16));
  // The URL parser knows the canonical short form.
  return new URL(`http://[${words.join(':')}]`).hostname.slice(1, -1);
}

function readTable(path: string): { readonly port: number; readonly address: string; readonly inode: string }[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // No such table: a kernel without IPv6.
    return [];
  }
  return text.split('\n').slice(1).flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    if (fields[3] !== TCP_LISTEN) return [];
    const [address = '', port = '0'] = (fields[1] ?? '').split(':');
    return [{ port: Number.parseInt(port, 16), address: parseAddress(address), inode: fields[9] ?? '' }];
  });
}

/** Node 24 calls its first thread, and so its process, `MainThread`: the program's name says more. */
const NAMELESS = 'MainThread';

function processName(pid: string): string {
  const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  if (name !== NAMELESS) return name;
  const program = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '';
  return basename(program) || 'node';
}

function processNames(inodes: ReadonlySet<string>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode !== undefined && inodes.has(inode)) names.set(inode, processName(pid));
      }
    } catch {
      // The process ended meanwhile, or belongs to somebody else (process driver).
    }
    if (names.size === inodes.size) break;
  }
  return names;
}

/** Listening TCP ports of the guest, lowest first, one row a port (IPv4 preferred), without those in `hidden`. */
export function listeningPorts(hidden: ReadonlySet<number>): ListeningPort[] {
  const rows = new Map<number, { readonly port: number; readonly address: string; readonly inode: string }>();
  for (const row of [...readTable('/proc/net/tcp'), ...readTable('/proc/net/tcp6')]) {
    if (!hidden.has(row.port) && !rows.has(row.port)) rows.set(row.port, row);
  }
  if (rows.size === 0) return [];
  const names = processNames(new Set([...rows.values()].map((row) => row.inode)));
  return [...rows.values()].sort((a, b) => a.port - b.port).map(({ port, address, inode }) => ({ port, address, process: names.get(inode) ?? null }));
}
