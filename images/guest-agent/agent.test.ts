import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { ErrorShape } from '#shared/errors.ts';
import { GuestActivitySchema, GuestHealthSchema, GuestMetricsSchema } from '#shared/guest-protocol.ts';
import { startTestAgent, TEST_TOKEN, type TestAgent } from './testing/start-agent.ts';

let agent: TestAgent;
beforeAll(async () => { agent = await startTestAgent(); });
afterAll(async () => { await agent.stop(); });

const errorOf = (body: Buffer): ErrorShape => (JSON.parse(body.toString()) as { error: ErrorShape }).error;

test.each([['no token', null], ['a wrong token', 'x'.repeat(40)], ['a prefix of the token', TEST_TOKEN.slice(0, -1)]])('%s is refused everywhere', async (_, token) => {
  for (const path of ['/_vessel/v1/health', '/_vessel/port/80/', '/', '/_vessel/v1/no-such-call']) {
    const answer = await agent.call(path, { token });
    expect(answer.status).toBe(401);
    expect(errorOf(answer.body).code).toBe('GUEST_UNAUTHORIZED');
  }
});

test('a WebSocket without the token is refused', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${agent.port}/socket`);
  const status = await new Promise((resolve) => { socket.on('unexpected-response', (_, answer) => resolve(answer.statusCode)); socket.on('error', () => undefined); });
  expect(status).toBe(401);
});

test('health follows the protocol and says that the IDE serves', async () => {
  const health = GuestHealthSchema.parse(await agent.json('/_vessel/v1/health'));
  expect(health).toMatchObject({ v: 1, ideReady: true });
});

test('activity, metrics and ports follow the protocol', async () => {
  GuestActivitySchema.parse(await agent.json('/_vessel/v1/activity'));
  expect(GuestMetricsSchema.parse(await agent.json('/_vessel/v1/metrics')).memoryTotalBytes).toBeGreaterThan(1e8);
  const server = createServer().listen(0, '::1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { port } = server.address() as AddressInfo;
  const { ports } = await agent.json<{ ports: { port: number; address: string; process: string | null }[] }>('/_vessel/v1/ports');
  expect(ports.find((row) => row.port === port)).toMatchObject({ address: '::1', process: expect.stringMatching(/^(?!MainThread)./) as string });
  expect(ports.map((row) => row.port)).not.toContain(agent.idePort);
  server.close();
});

test('a machine that slept is told the time and nothing else: its token stays, and rubbish is refused', async () => {
  const entropy = Buffer.alloc(64, 7).toString('base64');
  expect(errorOf((await agent.call('/_vessel/v1/wake', { method: 'POST', body: JSON.stringify({ epochMs: -1, entropy }) })).body).code).toBe('BAD_REQUEST');
  expect((await agent.call('/_vessel/v1/wake', { method: 'POST', body: JSON.stringify({ epochMs: Date.now(), entropy }) })).status).toBe(200);
  GuestHealthSchema.parse(await agent.json('/_vessel/v1/health'));
});

test('an unknown call is NOT_FOUND', async () => {
  expect(errorOf((await agent.call('/_vessel/v1/nothing')).body).code).toBe('NOT_FOUND');
});

test('the IDE gets the request as sent, Host kept and bearer removed, and streams back', async () => {
  const body = Buffer.alloc(300_000, 'x');
  const answer = await agent.call('/some/path?q=1', { method: 'POST', body, headers: { host: 'demo.localhost:8080', 'x-own': 'yes' } });
  const seen = JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>;
  expect(seen).toMatchObject({ url: '/some/path?q=1', host: 'demo.localhost:8080', 'x-own': 'yes' });
  expect(seen['authorization']).toBeUndefined();
  expect(answer.body.equals(body)).toBe(true);
});

test("the caller's own Authorization, set aside by the gateway, reaches the guest's server", async () => {
  const answer = await agent.call(`/_vessel/port/${agent.idePort}/api`, { headers: { 'x-vessel-authorization': 'Bearer theirs' } });
  const seen = JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>;
  expect([seen['authorization'], seen['x-vessel-authorization']]).toEqual(['Bearer theirs', undefined]);
});

test.each(['/socket', 'PORT'])('a WebSocket through %s is spliced without the bearer', async (kind) => {
  const path = kind === 'PORT' ? `/_vessel/port/${agent.idePort}/socket` : '/socket';
  const socket = new WebSocket(`ws://127.0.0.1:${agent.port}${path}`, { headers: { authorization: `Bearer ${TEST_TOKEN}`, host: 'demo.localhost' } });
  const received: string[] = [];
  socket.on('message', (data: Buffer) => { received.push(data.toString()); if (received.length === 1) socket.send('hello'); else socket.close(); });
  await new Promise((resolve, reject) => { socket.on('close', resolve); socket.on('error', reject); });
  expect(JSON.parse(received[0] ?? '')).toEqual({ authorization: null, host: 'demo.localhost', url: '/socket' });
  expect(received[1]).toBe('hello');
});

test('what a WebSocket is sent faster than it reads arrives whole and in order', async () => {
  const messages = Array.from({ length: 24 }, (_, index) => randomBytes(1_000_000 + index));
  const socket = new WebSocket(`ws://127.0.0.1:${agent.port}/socket`, { headers: { authorization: `Bearer ${TEST_TOKEN}` }, maxPayload: 2e6 });
  const received: Buffer[] = [];
  socket.on('message', (data: Buffer, binary) => {
    if (!binary) {
      for (const message of messages) socket.send(message);
      return;
    }
    received.push(data);
    if (received.length === messages.length) socket.close();
    // The first ones slowly, so that the way back fills up.
    if (received.length > 4) return;
    socket.pause();
    setTimeout(() => socket.resume(), 100);
  });
  await new Promise((resolve, reject) => { socket.on('close', resolve); socket.on('error', reject); });
  expect(received.map((data, index) => data.equals(messages[index] ?? Buffer.alloc(0)))).toEqual(messages.map(() => true));
});

test('what a server sent before it closed an upgrade still arrives', async () => {
  const content = randomBytes(3_000_000);
  const server = createServer().on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n');
    socket.end(content);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const asked = httpRequest({ port: agent.port, path: `/_vessel/port/${(server.address() as AddressInfo).port}/`, headers: { authorization: `Bearer ${TEST_TOKEN}`, connection: 'Upgrade', upgrade: 'own' } }).end();
  const [, socket, head] = await once(asked, 'upgrade') as unknown as readonly [unknown, Socket, Buffer];
  const chunks = [head];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).equals(content)).toBe(true);
  server.close();
});

test('a guest port that listens on IPv6 only is reached, with the path after its number', async () => {
  const server = createServer((request, response) => response.end(`${request.url} ${request.headers.host}`)).listen(0, '::1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { port } = server.address() as AddressInfo;
  const answer = await agent.call(`/_vessel/port/${port}/a/b?c=d`, { headers: { host: '5173--demo.localhost' } });
  expect(answer.body.toString()).toBe('/a/b?c=d 5173--demo.localhost');
  expect((await agent.call(`/_vessel/port/${port}`, { method: 'POST', body: 'x' })).body.toString()).toContain('/ ');
  server.closeAllConnections();
  server.close();
  await new Promise((resolve) => { server.once('close', resolve); });
  const closed = await agent.call(`/_vessel/port/${port}/`);
  expect([closed.status, errorOf(closed.body).code]).toEqual([502, 'GUEST_PORT_CLOSED']);
});

test('an IDE that dies is started again and ready again', async () => {
  await agent.call('/die').catch(() => undefined);
  const before = Date.now();
  while (!(await agent.json<{ ideReady: boolean }>('/_vessel/v1/health')).ideReady || (await agent.call('/x')).status !== 200) {
    if (Date.now() - before > 5000) throw new Error('the IDE did not come back');
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  expect((await agent.json<{ lines: string[] }>('/_vessel/v1/ide-log')).lines.join('\n')).toContain('exit code 3');
});

test('files are written atomically, read, listed and deleted', async () => {
  const content = Buffer.from('grüße\0binär');
  expect((await agent.call('/_vessel/v1/files?path=deep/er/f%C3%BC.txt', { method: 'PUT', body: content })).status).toBe(200);
  expect((await agent.call('/_vessel/v1/files?path=deep/er/f%C3%BC.txt')).body.equals(content)).toBe(true);
  const list = await agent.json<{ entries: { name: string; kind: string; size: number }[] }>('/_vessel/v1/files?path=deep/er');
  expect(list.entries).toMatchObject([{ name: 'fü.txt', kind: 'file', size: content.length }]);
  expect((await agent.call('/_vessel/v1/files?path=deep', { method: 'DELETE' })).status).toBe(200);
  expect(existsSync(join(agent.workspace, 'deep'))).toBe(false);
  expect((await agent.call('/_vessel/v1/files?path=deep')).status).toBe(404);
});

test('files outside the workspace cannot be reached by dots, absolute paths or links', async () => {
  writeFileSync(join(agent.folder, 'secret'), 'secret');
  mkdirSync(join(agent.workspace, 'inner'));
  symlinkSync(agent.folder, join(agent.workspace, 'way-out'));
  symlinkSync(join(agent.folder, 'secret'), join(agent.workspace, 'link'));
  for (const path of ['../secret', 'inner/../../secret', '/etc/hostname', 'way-out/secret', 'link', 'a%00b']) {
    for (const method of ['GET', 'PUT']) expect((await agent.call(`/_vessel/v1/files?path=${path}`, { method, body: method === 'PUT' ? 'overwritten' : '' })).status, `${method} ${path}`).toBe(400);
  }
  expect((await agent.call('/_vessel/v1/files?path=', { method: 'DELETE' })).status).toBe(400);
  expect(readFileSync(join(agent.folder, 'secret'), 'utf8')).toBe('secret');
});

test('identity replaces the token at once; a malformed one changes nothing', async () => {
  const identity = { token: 'n'.repeat(40), hostname: 'demo-1', machineId: '0'.repeat(32), epochMs: Date.now(), entropy: Buffer.alloc(32, 7).toString('base64'), env: { GREETING: "it's" } };
  expect((await agent.call('/_vessel/v1/identity', { method: 'POST', body: JSON.stringify({ ...identity, hostname: 'not a host' }) })).status).toBe(400);
  expect((await agent.call('/_vessel/v1/health')).status).toBe(200);
  expect((await agent.call('/_vessel/v1/identity', { method: 'POST', body: JSON.stringify(identity) })).status).toBe(200);
  expect((await agent.call('/_vessel/v1/health')).status).toBe(401);
  expect((await agent.call('/_vessel/v1/health', { token: identity.token })).status).toBe(200);
  expect(statSync(join(agent.folder, 'token')).mode & 0o777).toBe(0o600);
  expect((await agent.call('/_vessel/v1/identity', { method: 'POST', body: JSON.stringify({ ...identity, token: TEST_TOKEN }), token: identity.token })).status).toBe(200);
});
