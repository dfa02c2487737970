import { createHash, randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { send, startTestDoor, startTestGuest, type TestGateway, type TestGuest } from './test-gateway.ts';

const ID = 'shop-api-k3f9';
/** Far above every buffer on the way, so that streaming and back-pressure are needed. */
const BIG = 120 * 1024 * 1024;
let guest: TestGuest;
let door: TestGateway;
let host: string;
let cookie: string;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ guest, door, host, cookie, close } = await startTestDoor(ID));
});
afterEach(() => close());
const open = (path: string, options: { readonly method?: string; readonly headers?: Record<string, string> } = {}) =>
  httpRequest({ host: '127.0.0.1', port: door.gateway.port, path, agent: false, method: options.method ?? 'GET', headers: { host, cookie, ...options.headers } });

it('streams a body of 120 MB in and out unchanged', async () => {
  const chunk = randomBytes(1024 * 1024);
  const hash = createHash('sha256');
  guest.handler = (request, response) => { response.writeHead(200); request.pipe(response); };
  const outgoing = open('/echo', { method: 'POST', headers: { origin: `http://${host}` } });
  const received = new Promise<{ readonly bytes: number; readonly digest: string }>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (answer) => {
      const got = createHash('sha256');
      let bytes = 0;
      answer.on('data', (data: Buffer) => { got.update(data); bytes += data.length; });
      answer.on('end', () => resolve({ bytes, digest: got.digest('hex') }));
    });
  });
  for (let sent = 0; sent < BIG; sent += chunk.length) {
    hash.update(chunk);
    if (!outgoing.write(chunk)) await new Promise((resolve) => { outgoing.once('drain', resolve); });
  }
  outgoing.end();
  expect(await received).toEqual({ bytes: BIG, digest: hash.digest('hex') });
});

it('holds the sender back while the guest does not read', async () => {
  guest.handler = (request) => { request.pause(); };
  const outgoing = open('/slow', { method: 'POST', headers: { origin: `http://${host}` } });
  outgoing.on('error', () => undefined);
  const chunk = Buffer.alloc(1024 * 1024);
  let sent = 0;
  let stalled = false;
  while (!stalled && sent < BIG) {
    sent += chunk.length;
    if (!outgoing.write(chunk)) stalled = await Promise.race([new Promise<false>((resolve) => { outgoing.once('drain', () => resolve(false)); }), sleep(300).then(() => true)]);
  }
  expect(sent).toBeLessThan(BIG / 2);
  outgoing.destroy();
});

it('tells the guest when the browser leaves in the middle of an answer', async () => {
  let closed = false;
  guest.handler = (_request, response) => {
    response.writeHead(200);
    response.write('first');
    response.on('close', () => { closed = true; });
  };
  const outgoing = open('/endless');
  outgoing.on('error', () => undefined);
  outgoing.end();
  await new Promise((resolve) => { outgoing.on('response', (answer) => { answer.on('error', () => undefined); answer.once('data', resolve); }); });
  outgoing.destroy();
  await expect.poll(() => closed).toBe(true);
});

it('cuts the answer when the guest dies in the middle of it', async () => {
  guest.handler = (_request, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('half');
    setTimeout(() => response.destroy(), 20);
  };
  await expect(send(door.gateway.port, host, '/', { headers: { cookie } })).rejects.toThrow(/aborted|hang up/);
});

it('lets a guest refuse an upload early, and the browser reads why', async () => {
  guest.handler = (_request, response) => response.writeHead(413, { connection: 'close' }).end('too large');
  const answer = await send(door.gateway.port, host, '/', { method: 'POST', headers: { cookie, origin: `http://${host}` }, body: randomBytes(1024) });
  expect(answer).toMatchObject({ status: 413, body: 'too large' });
});

it('passes a guest server\'s own 401 and 502 on as they are', async () => {
  for (const [status, type, body] of [[401, 'application/json', '{"error":"login"}'], [502, 'application/json', 'not json'], [401, 'text/html', '<p>login']] as const) {
    guest.handler = (_request, response) => response.writeHead(status, { 'content-type': type, 'content-length': body.length, 'www-authenticate': 'Basic' }).end(body);
    const answer = await send(door.gateway.port, host, '/', { headers: { cookie } });
    expect(answer).toMatchObject({ status, body });
    expect(answer.headers['www-authenticate']).toBe('Basic');
  }
});

it('uses kept connections again', async () => {
  for (let count = 0; count < 20; count += 1) await send(door.gateway.port, host, '/', { headers: { cookie } });
  expect(guest.connections).toBeLessThanOrEqual(2);
});

it('survives a guest that closes each kept connection', async () => {
  guest.handler = (request, response) => {
    response.end('x');
    setImmediate(() => request.socket.destroy());
  };
  for (let count = 0; count < 20; count += 1) expect((await send(door.gateway.port, host, '/', { headers: { cookie } })).body).toBe('x');
});

it('opens new connections after the environment was started anew', async () => {
  await send(door.gateway.port, host, '/', { headers: { cookie } });
  const second = await startTestGuest();
  second.handler = (_request, response) => response.end('second');
  const token = 'guest-token-guest-token-guest-token-0123';
  door.routes.set(ID, { kind: 'not-running', name: 'x', ideStaticDir: null });
  await send(door.gateway.port, host, '/', { headers: { cookie } });
  door.routes.set(ID, second.route({ token }));
  expect((await send(door.gateway.port, host, '/', { headers: { cookie } })).body).toBe('second');
  await second.close();
});

it('does not pass hop-by-hop headers either way, and keeps HEAD, 204 and 304 without a body', async () => {
  guest.handler = (request, response) => {
    if (request.url === '/204') response.writeHead(204).end();
    else if (request.url === '/304') response.writeHead(304, { etag: '"x"' }).end();
    else response.writeHead(200, { 'keep-alive': 'timeout=1', connection: 'keep-alive, x-private', 'x-private': '1', 'content-length': '5' }).end(request.method === 'HEAD' ? undefined : 'hello');
  };
  const get = await send(door.gateway.port, host, '/', { headers: { cookie, connection: 'x-hop', 'x-hop': '1', te: 'trailers' } });
  expect(get.body).toBe('hello');
  expect(get.headers['x-private']).toBeUndefined();
  expect(guest.seen[0]?.headers['x-hop']).toBeUndefined();
  expect(guest.seen[0]?.headers.te).toBeUndefined();
  expect(await send(door.gateway.port, host, '/', { method: 'HEAD', headers: { cookie } })).toMatchObject({ status: 200, body: '' });
  expect((await send(door.gateway.port, host, '/204', { headers: { cookie } })).status).toBe(204);
  expect((await send(door.gateway.port, host, '/304', { headers: { cookie } })).headers.etag).toBe('"x"');
});

it('joins WebSockets: large and small messages, both ways, and both ends close together', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${door.gateway.port}/hmr`, { headers: { host, cookie, origin: `http://${host}` } });
  await new Promise((resolve, reject) => { socket.once('open', resolve); socket.once('error', reject); });
  for (const message of ['x', 'y'.repeat(3_000_000), 'ü']) {
    const echo = new Promise((resolve) => { socket.once('message', (data) => resolve(String(data))); });
    socket.send(message);
    expect(await echo).toBe(message);
  }
  const closed = new Promise((resolve) => { socket.once('close', resolve); });
  await guest.close();
  await closed;
});

it('ends with everything closed although WebSockets and answers are open', async () => {
  guest.handler = (_request, response) => { response.writeHead(200); response.write('x'); };
  const socket = new WebSocket(`ws://127.0.0.1:${door.gateway.port}/hmr`, { headers: { host, cookie, origin: `http://${host}` } });
  await new Promise((resolve) => { socket.once('open', resolve); });
  const outgoing = open('/endless');
  outgoing.on('error', () => undefined);
  outgoing.end();
  await new Promise((resolve) => { outgoing.once('response', (answer) => { answer.on('error', () => undefined); answer.resume(); resolve(undefined); }); });
  await door.gateway.close();
  await sleep(20);
  await expect(send(door.gateway.port, host, '/')).rejects.toThrow(/ECONNREFUSED/);
});
