import { randomBytes } from 'node:crypto';
import { crc32, deflateRawSync } from 'node:zlib';
import { VesselError } from '#shared/errors.ts';
import { GUEST_API_PREFIX } from '#shared/guest-protocol.ts';
import type { GuestAddress } from './guest-client.ts';

/**
 * V8 compiles a function when it first runs, and an emulated guest then pays for the compiler too: a clone's first identity took
 * 0.7 s, its second 0.03 s. After a few rounds the hot code has also been through the faster tiers.
 */
const ROUNDS = 12;
const CALL_MS = 60_000;
const FILES = ['package.json', 'server.js', 'README.md', '.vscode/tasks.json'];
const LIMITS = 'links=keep&maxBytes=1000000&maxEntries=1000';
const practiceZip = (): Uint8Array<ArrayBuffer> => smallZip(FILES.map((path) => ({ path, content: `${path}\n`.repeat(20) })));

/**
 * Lets a guest that is about to be frozen live through what every clone does first: get an identity, be filled, answer, run a command,
 * be saved. The clone then wakes up with that code compiled. Leaves the workspace empty; returns the token the guest has now.
 * Throws GUEST_UNREACHABLE when the guest refuses anything.
 */
export async function rehearse(address: GuestAddress, token: string, name: string, warmPages: readonly string[], signal: AbortSignal): Promise<string> {
  let current = token;
  const call = async (method: string, path: string, body?: Uint8Array<ArrayBuffer> | string): Promise<void> => {
    const answer = await fetch(`http://${address.host}:${address.port}${path}`, {
      method, redirect: 'manual', signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]),
      headers: { authorization: `Bearer ${current}`, ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}) },
      ...(body === undefined ? {} : { body }),
    });
    await answer.arrayBuffer();
    if (answer.status >= 400) throw new VesselError('GUEST_UNREACHABLE', `the guest answered ${answer.status} to ${method} ${path} in the rehearsal`);
  };
  const api = (method: string, path: string, body?: Uint8Array<ArrayBuffer> | string): Promise<void> => call(method, `${GUEST_API_PREFIX}/${path}`, body);
  const zip = practiceZip();
  for (let round = 0; round < ROUNDS; round += 1) {
    const next = randomBytes(32).toString('hex');
    await api('POST', 'identity', JSON.stringify({
      token: next, hostname: name, machineId: randomBytes(16).toString('hex'), epochMs: Date.now(), entropy: randomBytes(64).toString('base64'),
      timezone: 'UTC', nameservers: [], env: {},
    }));
    current = next;
    await api('GET', 'health');
    await api('PUT', `workspace?${LIMITS}`, zip);
    await api('GET', 'activity');
    for (const page of warmPages) await call('GET', page);
    await runInGuest(address, current, 'true', signal);
    await api('POST', 'programs/end', JSON.stringify({ waitMs: 0 }));
    await api('POST', 'workspace/save', JSON.stringify({ exclude: { preset: 'safe', rules: [] } }));
    for (const path of new Set(FILES.map((file) => file.split('/')[0] ?? file))) await api('DELETE', `files?path=${encodeURIComponent(path)}`);
  }
  // The kernel writes half a minute after a change: each clone would do it again, in the seconds in which somebody waits for an editor.
  await runInGuest(address, current, 'sync', signal);
  return current;
}

/**
 * Unpacks a small archive in a guest that is kept ready, beside its workspace: the code that fills a workspace is then translated by its own hypervisor.
 * Throws GUEST_UNREACHABLE when the guest refuses.
 */
export async function practiseFilling(address: GuestAddress, token: string, signal: AbortSignal): Promise<void> {
  const answer = await fetch(`http://${address.host}:${address.port}${GUEST_API_PREFIX}/workspace?practice=1&${LIMITS}`, {
    method: 'PUT', signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]), headers: { authorization: `Bearer ${token}` }, body: practiceZip(),
  });
  await answer.arrayBuffer();
  if (answer.status >= 400) throw new VesselError('GUEST_UNREACHABLE', `the guest answered ${answer.status} to the practice of its filling`);
}

/** Runs a command as the workspace's user and waits for its end, however it ends. Throws GUEST_UNREACHABLE when the guest does not take it. */
function runInGuest(address: GuestAddress, token: string, command: string, signal: AbortSignal): Promise<void> {
  const socket = new WebSocket(`ws://${address.host}:${address.port}${GUEST_API_PREFIX}/exec`, { headers: { authorization: `Bearer ${token}` } });
  return new Promise((resolve, reject) => {
    const onAbort = (): void => { reject(VesselError.from(signal.reason)); socket.close(); };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.addEventListener('open', () => socket.send(JSON.stringify({ type: 'start', argv: [command] })));
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string' && data.includes('"exit"')) socket.close();
    });
    socket.addEventListener('error', () => reject(new VesselError('GUEST_UNREACHABLE', "the rehearsal's command failed")));
    socket.addEventListener('close', () => { signal.removeEventListener('abort', onAbort); resolve(); });
  });
}

/** A deflated zip of a few text files (APPNOTE 4.3.7, 4.3.12, 4.3.16): local headers, central directory, end record. */
export function smallZip(files: readonly { readonly path: string; readonly content: string }[]): Uint8Array<ArrayBuffer> {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { path, content } of files) {
    const name = Buffer.from(path);
    const data = Buffer.from(content);
    const packed = deflateRawSync(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // version needed
    common.writeUInt16LE(0x0800, 2); // names are UTF-8
    common.writeUInt16LE(8, 4); // deflate
    common.writeUInt16LE(0x21, 8); // 1980-01-01
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, name, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((0o100644 << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, tail, name]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return new Uint8Array(Buffer.concat([...locals, directory, end]));
}
