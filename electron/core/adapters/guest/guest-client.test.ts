import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { duplexPair, Readable, type Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { VesselError } from '#shared/errors.ts';
import { EXEC_FRAME } from '#shared/guest-protocol.ts';
import type { GuestClient } from '../../ports/guest.ts';
import { connectGuest } from './guest-client.ts';

const TOKEN = 'x'.repeat(40);
let server: Server;
let port: number;
let client: GuestClient;
let respond: (request: IncomingMessage, response: ServerResponse) => void;
let dials: number;
const dial = (): Promise<Duplex> => new Promise((resolve, reject) => {
  dials += 1;
  const socket = connect(port, '127.0.0.1', () => resolve(socket)).once('error', (error) => reject(new VesselError('GUEST_UNREACHABLE', error.message)));
});
const json = (response: ServerResponse, body: unknown, status = 200): void => { response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)); };
const METRICS = { cpuPercent: 1, memoryUsedBytes: 1, memoryTotalBytes: 2, swapUsedBytes: 0, swapTotalBytes: 0, diskUsedBytes: 1, diskTotalBytes: 2, load1: 0, memoryKills: { count: 0, process: null }, processes: 3 };

beforeEach(async () => {
  dials = 0;
  server = createServer((request, response) => respond(request, response));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  ({ port } = address);
  client = connectGuest({ dial, token: TOKEN });
});
afterEach(async () => {
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => { server.close(resolve); });
});

describe('the guest client', () => {
  it('says GUEST_UNREACHABLE when nobody is there', async () => {
    const lost = connectGuest({ token: TOKEN, dial: () => Promise.reject(new VesselError('GUEST_UNREACHABLE', 'no route')) });
    await expect(lost.metrics()).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
    await expect(lost.exec({ argv: ['x'], cwd: '', env: {}, pty: null })).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
  });
  it('says GUEST_UNAUTHORIZED for a refused token, and never repeats the token in the error', async () => {
    respond = (_request, response) => json(response, { error: new VesselError('GUEST_UNAUTHORIZED').toShape() }, 401);
    const error: unknown = await client.health().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'GUEST_UNAUTHORIZED' });
    expect(JSON.stringify(error)).not.toContain(TOKEN);
  });
  it('throws the very error that the agent names', async () => {
    respond = (_request, response) => json(response, { error: new VesselError('ARCHIVE_UNSAFE', 'entry x', { details: { entry: 'x' } }).toShape() }, 400);
    await expect(client.metrics()).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_UNSAFE', details: { entry: 'x' } }));
  });
  it('refuses an answer of unknown shape and one that never ends', async () => {
    respond = (_request, response) => json(response, { cpuPercent: 'many' });
    await expect(client.metrics()).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
    respond = (_request, response) => { response.writeHead(200); Readable.from((function* () { for (;;) yield Buffer.alloc(1_000_000, 'x'); })()).pipe(response); };
    await expect(client.metrics()).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
  });
  it('gives up when cancelled while the guest is silent', async () => {
    respond = () => undefined;
    const abort = new AbortController();
    const asking = client.activity({ signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(asking).rejects.toThrow(expect.objectContaining({ code: 'CANCELLED' }));
  });
  it('uses one connection for questions that follow each other', async () => {
    respond = (request, response) => { expect(request.headers.authorization).toBe(`Bearer ${TOKEN}`); json(response, METRICS); };
    for (let index = 0; index < 5; index += 1) await client.metrics();
    expect(dials).toBe(1);
  });
  it('leaves the connection fit for the next question after every call', async () => {
    respond = (request, response) => { request.resume(); json(response, request.url?.endsWith('metrics') === true ? METRICS : { hold: 1, programs: [], changing: [] }); };
    for (const call of [() => client.release(), () => client.holdStill(1000), () => client.endPrograms(0), () => client.programs(0)]) {
      await call();
      await client.metrics();
    }
    expect(dials).toBe(1);
  });
  it('says nothing of a program that would steer a terminal', async () => {
    respond = (request, response) => { request.resume(); json(response, { programs: [{ pid: 1, command: 'a\u001b]0;x\u0007', wrote: ['b\nc'], how: 'ended' }], changing: ['\u202e'] }); };
    expect(await client.endPrograms(0)).toEqual({ programs: [{ pid: 1, command: 'a␛]0;x␇', wrote: ['b c'], how: 'ended' }], changing: ['\ufffd'] });
  });
  it('speaks over any byte stream, not only a socket', async () => {
    respond = (_request, response) => json(response, METRICS);
    const over = connectGuest({ token: TOKEN, dial: async () => {
      const [near, far] = duplexPair();
      const socket = await dial();
      far.pipe(socket).pipe(far);
      return near;
    } });
    expect(await over.metrics()).toEqual(METRICS);
    expect(await over.metrics()).toEqual(METRICS);
    over.close();
  });

  const summary = { entries: 1, files: 1, contentBytes: 3, leftOut: [], changedWhileReading: [], changeCounter: 4 };
  it('gives the workspace with its summary', async () => {
    respond = (_request, response) => { response.writeHead(200, { trailer: 'x-vessel-summary' }); response.write('zip'); response.addTrailers({ 'x-vessel-summary': Buffer.from(JSON.stringify(summary)).toString('base64url') }); response.end(); };
    const saved = await client.saveWorkspace({ preset: 'safe', rules: [] }, { maxBytes: 1e9, maxEntries: 1e6 });
    expect((await buffer(saved.content)).toString()).toBe('zip');
    expect(await saved.summary).toEqual(summary);
  });
  it('fails both halves of a workspace that is cut', async () => {
    respond = (_request, response) => { response.writeHead(200); response.write('zi'); setTimeout(() => response.destroy(), 20); };
    const saved = await client.saveWorkspace({ preset: 'safe', rules: [] }, { maxBytes: 1e9, maxEntries: 1e6 });
    await expect(buffer(saved.content)).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
    await expect(saved.summary).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
  });
  it('keeps the failure of a workspace that is cut before anybody reads it', async () => {
    respond = (_request, response) => { response.writeHead(200); response.write('zi'); setTimeout(() => response.destroy(), 5); };
    const saved = await client.saveWorkspace({ preset: 'safe', rules: [] }, { maxBytes: 1e9, maxEntries: 1e6 });
    // An error event that nobody listens to ends the whole process, and every other environment's owner with it.
    await new Promise((resolve) => { saved.content.once('close', resolve); });
    await expect((async () => { for await (const chunk of saved.content) expect(chunk).toBeDefined(); })()).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
  });
  it('fails a workspace that ends without its summary', async () => {
    respond = (_request, response) => { response.end('zip'); };
    const saved = await client.saveWorkspace({ preset: 'safe', rules: [] }, { maxBytes: 1e9, maxEntries: 1e6 });
    await expect(buffer(saved.content)).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT' }));
    await expect(saved.summary).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT' }));
  });
  it('tells why a workspace could not be saved, to both who read it and who waits', async () => {
    const shape = new VesselError('SAVE_INCOMPLETE', '"db/f" cannot be read (EIO)').toShape();
    respond = (_request, response) => {
      response.writeHead(200, { trailer: 'x-vessel-error' });
      response.write('zi');
      response.addTrailers({ 'x-vessel-error': Buffer.from(JSON.stringify(shape)).toString('base64url') });
      response.end();
    };
    const saved = await client.saveWorkspace({ preset: 'safe', rules: [] }, { maxBytes: 1e9, maxEntries: 1e6 });
    await expect(buffer(saved.content)).rejects.toThrow(expect.objectContaining({ code: 'SAVE_INCOMPLETE', message: shape.message }));
    await expect(saved.summary).rejects.toThrow(expect.objectContaining({ code: 'SAVE_INCOMPLETE' }));
  });
  it('does not complete a workspace upload whose source breaks', async () => {
    let aborted = false;
    respond = (request, response) => { request.on('aborted', () => { aborted = true; }).on('end', () => json(response, { entries: 0, files: 0, contentBytes: 0 })).resume(); };
    const broken = Readable.from((async function* () { yield Buffer.from('half'); await new Promise((resolve) => setTimeout(resolve, 20)); throw new VesselError('ARCHIVE_CORRUPT', 'not what was verified'); })());
    await expect(client.putWorkspace(broken, { links: 'keep', bytes: null, maxBytes: 1, maxEntries: 1 })).rejects.toThrow(expect.objectContaining({ code: 'ARCHIVE_CORRUPT' }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(aborted).toBe(true);
  });

  describe('exec', () => {
    let sockets: WebSocketServer;
    beforeEach(() => { sockets = new WebSocketServer({ server }); });
    afterEach(() => sockets.close());
    const request = { argv: ['cat'], cwd: '', env: {}, pty: null };

    it('carries input, output and the exit', async () => {
      sockets.on('connection', (socket) => {
        socket.on('message', (data: Buffer, isBinary) => {
          if (isBinary) { socket.send(Buffer.concat([Buffer.from([EXEC_FRAME.stdout]), data.subarray(1)]), { binary: true }); return; }
          const message = JSON.parse(data.toString()) as { readonly type: string };
          if (message.type === 'start') socket.send(JSON.stringify({ type: 'started', pid: 7 }));
          if (message.type === 'stdin-end') { socket.send(Buffer.concat([Buffer.from([EXEC_FRAME.stderr]), Buffer.from('bye')]), { binary: true }); socket.send(JSON.stringify({ type: 'exit', code: 3, signal: null })); }
        });
      });
      const exec = await client.exec(request);
      await exec.write(Buffer.from('hello'));
      exec.endInput();
      const output: string[] = [];
      for await (const { stream, data } of exec.output) output.push(`${stream} ${data.toString()}`);
      expect(output).toEqual(['stdout hello', 'stderr bye']);
      expect(await exec.exit).toEqual({ code: 3, signal: null });
    });
    it('passes on why a command could not be started', async () => {
      sockets.on('connection', (socket) => { socket.on('message', () => socket.send(JSON.stringify({ type: 'error', error: new VesselError('EXEC_FAILED', 'no such program').toShape() }))); });
      await expect(client.exec(request)).rejects.toThrow(expect.objectContaining({ code: 'EXEC_FAILED', message: 'no such program' }));
    });
    it('asks again when the line broke before anything was asked, and only then', async () => {
      let connections = 0;
      server.on('connection', (socket) => { connections += 1; if (connections === 1) socket.destroy(); });
      let starts = 0;
      sockets.on('connection', (socket) => { socket.on('message', () => { starts += 1; socket.terminate(); }); });
      await expect(client.exec(request)).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
      expect([connections, starts]).toEqual([2, 1]);
    });
    it('takes output no faster than it is read, and all of it', async () => {
      const pieces = 400;
      let waiting = 0;
      sockets.on('connection', (socket) => { socket.on('message', () => {
        socket.send(JSON.stringify({ type: 'started', pid: 7 }));
        for (let index = 0; index < pieces; index += 1) socket.send(Buffer.concat([Buffer.of(EXEC_FRAME.stdout), Buffer.alloc(256 * 1024, index % 256)]));
        socket.send(JSON.stringify({ type: 'exit', code: 0, signal: null }));
        setInterval(() => { waiting = socket.bufferedAmount; }, 5).unref();
      }); });
      const exec = await client.exec(request);
      // What the kernel holds for both ends is a few megabytes; the rest of the hundred stays with the guest.
      let last = -1;
      await expect.poll(() => { const same = waiting > 0 && waiting === last; last = waiting; return same; }, { interval: 100 }).toBe(true);
      expect(waiting).toBeGreaterThan(pieces * 256 * 1024 * 0.8);
      let read = 0;
      for await (const { data } of exec.output) read += data.length;
      expect(read).toBe(pieces * 256 * 1024);
      expect(await exec.exit).toEqual({ code: 0, signal: null });
    });
    it.each<[string, (socket: import('ws').WebSocket) => void]>([
      ['output before it started', (socket) => socket.send(Buffer.of(EXEC_FRAME.stdout, 1))],
      ['an exit before it started', (socket) => socket.send(JSON.stringify({ type: 'exit', code: 0, signal: null }))],
      ['a frame of two megabytes', (socket) => socket.send(Buffer.alloc(2_000_000, 1))],
      ['a message of another kind', (socket) => socket.send('{"type":"sudo"}')],
      ['JSON without an end', (socket) => socket.send('['.repeat(500_000))],
    ])('ends a command of which the guest sends %s', async (_what, misbehave) => {
      sockets.on('connection', (socket) => { socket.on('error', () => undefined); socket.on('message', () => misbehave(socket)); });
      await expect(client.exec(request)).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
    });
    it('waits with input while the command does not read', async () => {
      sockets.on('connection', (socket) => { socket.on('message', () => { socket.send(JSON.stringify({ type: 'started', pid: 7 })); socket.pause(); }); });
      const exec = await client.exec(request);
      let sent = 0;
      const pump = (async () => { for (;;) { await exec.write(Buffer.alloc(64 * 1024)); sent += 1; if (sent > 2000) return 'took all'; } })();
      let last = -1;
      await expect.poll(() => { const same = sent > 0 && sent === last; last = sent; return same; }, { interval: 100 }).toBe(true);
      expect(sent).toBeLessThan(400);
      exec.close();
      await pump;
      for (const socket of sockets.clients) socket.terminate();
    });
    it('fails the exit when the connection is cut', async () => {
      sockets.on('connection', (socket) => { socket.on('message', () => { socket.send(JSON.stringify({ type: 'started', pid: 7 })); setTimeout(() => socket.terminate(), 20); }); });
      const exec = await client.exec(request);
      await expect(exec.exit).rejects.toThrow(expect.objectContaining({ code: 'GUEST_UNREACHABLE' }));
    });
  });
});
