import { rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Readable, type PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../../../../build/testing/describe-unless.ts';
import type { SshHost } from './ssh-host.ts';
import { hostOf, person, withKeys, type TestPerson } from './testing/client.ts';
import { makeKey, me, startCutter, startSshd, whyNoSshd, type Cutter, type Sshd } from './testing/sshd.ts';

const CHUNK = Buffer.alloc(64 * 1024, 'x');
const MEBI = 1024 * 1024;
/** ssh2 opens a window of 2 MiB; the kernel's buffers and ours come on top. */
const BOUND = 24 * MEBI;

describeUnless(whyNoSshd(), 'a forwarded channel', () => {
  let who: TestPerson;
  let sshd: Sshd;
  let wire: Cutter;
  let host: SshHost;
  const servers: Server[] = [];
  const serve = async (onSocket: (socket: Socket) => void): Promise<number> => {
    const server = createServer((socket) => { socket.on('error', () => socket.destroy()); onSocket(socket); });
    servers.push(server);
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    return (server.address() as AddressInfo).port;
  };
  beforeAll(async () => {
    who = person();
    const key = makeKey(who.folder, 'key');
    sshd = await startSshd({ authorized: [key.publicLine] });
    wire = await startCutter(sshd.port);
    host = hostOf(who, `${me}@127.0.0.1:${wire.port}`, key.path);
    await host.connect(withKeys(sshd.hostKey.fingerprint));
  });
  afterEach(() => { for (const server of servers.splice(0)) server.close(); });
  afterAll(async () => { await host.dispose(); await wire.close(); await sshd.stop(); rmSync(who.folder, { recursive: true, force: true }); });

  it('makes the sender wait for a reader that is slow, instead of filling the memory of this computer', async () => {
    let sent = 0;
    const total = 400 * MEBI;
    const port = await serve((socket) => {
      const more = (): void => { while (sent < total) { sent += CHUNK.length; if (!socket.write(CHUNK)) { socket.once('drain', more); return; } } socket.end(); };
      more();
    });
    const stream = await host.forward('127.0.0.1', port);
    await sleep(700);
    expect(sent).toBeLessThan(BOUND);
    const before = process.memoryUsage();
    let peak = 0;
    let got = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      got += chunk.length;
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      peak = Math.max(peak, arrayBuffers + heapUsed - before.arrayBuffers - before.heapUsed);
    }
    expect(got).toBe(total);
    // Most of it is waiting to be collected.
    expect(peak).toBeLessThan(160 * MEBI);
  });

  it('makes whoever writes wait for a receiver that is slow', async () => {
    let slow = true;
    let got = 0;
    const port = await serve((socket) => {
      socket.pause();
      const wait = setInterval(() => { if (!slow) { clearInterval(wait); socket.resume(); } }, 20);
      socket.on('data', (data) => { got += data.length; });
      socket.on('end', () => socket.end());
    });
    const stream = await host.forward('127.0.0.1', port);
    let pulled = 0;
    const total = 100 * MEBI;
    const source = Readable.from((function* () { while (pulled < total) { pulled += CHUNK.length; yield CHUNK; } })(), { objectMode: false });
    const done = pipeline(source, stream);
    await sleep(700);
    expect(pulled).toBeLessThan(BOUND);
    slow = false;
    stream.resume();
    await done;
    await expect.poll(() => got, { timeout: 10_000 }).toBe(total);
  });

  it('has time-outs, which bytes in either direction put off', async () => {
    const port = await serve((socket) => { const timer = setInterval(() => { if (socket.bytesWritten < 4) socket.write('x'); }, 60); socket.on('close', () => clearInterval(timer)); });
    const stream = await host.forward('127.0.0.1', port) as PassThrough & { setTimeout(ms: number): void };
    stream.resume();
    const began = performance.now();
    stream.setTimeout(150);
    await new Promise((resolve) => stream.once('timeout', resolve));
    expect(performance.now() - began).toBeGreaterThan(290);
    stream.destroy();
  });

  it('that lies idle ends with its line, and says so', async () => {
    const port = await serve(() => undefined);
    const stream = await host.forward('127.0.0.1', port);
    let reason: unknown = null;
    stream.on('error', (error) => { reason = error; });
    const closed = new Promise((resolve) => stream.once('close', resolve));
    wire.cut();
    await closed;
    expect(reason).toMatchObject({ code: 'SSH_CONNECTION_LOST' });
    wire.mend();
  });
});
