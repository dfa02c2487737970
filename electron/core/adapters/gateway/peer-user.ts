import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

const ESTABLISHED = '01';
const IPV4_BYTES = 4;
const WORD_BYTES = 4;

/** An address as /proc/net/tcp writes it: 32-bit words in the machine's (little-endian) order, then the port. */
function procAddress(address: string, port: number): string | null {
  const bytes = address.includes(':') ? (address === '::1' ? [...new Array<number>(15).fill(0), 1] : null) : address.split('.').map(Number);
  if (bytes === null || bytes.length % IPV4_BYTES !== 0) return null;
  let text = '';
  for (let word = 0; word < bytes.length; word += WORD_BYTES) {
    for (const byte of bytes.slice(word, word + WORD_BYTES).reverse()) text += byte.toString(16).padStart(2, '0').toUpperCase();
  }
  return `${text}:${port.toString(16).padStart(4, '0').toUpperCase()}`;
}
const MAPPED = '0000000000000000FFFF0000';

/** The uid that owns the other end of a loopback connection; null where the system does not tell (only Linux does). */
export function peerUser(socket: Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>): number | null {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (process.platform !== 'linux' || remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined) return null;
  const theirs = procAddress(remoteAddress, remotePort);
  const ours = procAddress(localAddress, localPort);
  if (theirs === null || ours === null) return null;
  // A program may reach 127.0.0.1 over an IPv6 socket: then its end is listed there.
  for (const [table, prefix] of [['/proc/net/tcp', ''], ['/proc/net/tcp6', ''], ['/proc/net/tcp6', MAPPED]] as const) {
    const uid = ownerIn(table, `${prefix}${theirs}`, `${prefix}${ours}`);
    if (uid !== null) return uid;
  }
  return null;
}

function ownerIn(table: string, local: string, remote: string): number | null {
  let text: string;
  try {
    text = readFileSync(table, 'utf8');
  } catch {
    return null; // a kernel without IPv6
  }
  const at = text.indexOf(`: ${local} ${remote} ${ESTABLISHED} `);
  if (at < 0) return null;
  const uid = Number(text.slice(at, text.indexOf('\n', at)).trim().split(/\s+/)[7]);
  return Number.isInteger(uid) ? uid : null;
}
