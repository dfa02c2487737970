import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { ErrorShape } from '#shared/errors.ts';
import { startTestAgent, TEST_TOKEN, type TestAgent } from '../testing/start-agent.ts';

/** Servers as people write and misconfigure them, behind the real agent. */
let agent: TestAgent;
let certificate: { readonly key: string; readonly cert: string };
const servers: Server[] = [];

beforeAll(async () => {
  agent = await startTestAgent();
  const at = (name: string): string => join(agent.folder, name);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', at('key.pem'), '-out', at('cert.pem'), '-days', '2', '-subj', '/CN=dev.test'], { stdio: 'ignore' });
  certificate = { key: readFileSync(at('key.pem'), 'utf8'), cert: readFileSync(at('cert.pem'), 'utf8') };
});
afterAll(() => agent.stop());
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) (server as ReturnType<typeof createHttpServer>).closeAllConnections();
    await new Promise((resolve) => { server.close(resolve); });
  }
});

async function listen(server: Server, port = 0): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => { server.listen(port, '127.0.0.1', resolve); });
  return (server.address() as AddressInfo).port;
}
/** A server that answers each request with these bytes. */
const says = (text: string): Promise<number> => {
  const open = new Set<Socket>();
  const server = createTcpServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => { socket.end(text, 'latin1'); });
  });
  server.on('close', () => { for (const socket of open) socket.destroy(); });
  return listen(server);
};
const get = (port: number, options: Parameters<TestAgent['call']>[1] = {}, path = '/'): ReturnType<TestAgent['call']> => agent.call(`/_vessel/port/${port}${path}`, options);
const faultOf = async (port: number): Promise<ErrorShape & { readonly status: number }> => {
  const answer = await get(port);
  return { status: answer.status, ...(JSON.parse(answer.body.toString()) as { readonly error: ErrorShape }).error };
};

it.each(['GET', 'POST'])('a server of HTTPS is asked over TLS, from the first request on (%s), and its own addresses lead back', async (method) => {
  const port = await listen(createHttpsServer(certificate, (request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => { body += String(data); });
    request.on('end', () => response.writeHead(200, { location: `https://${request.headers.host ?? ''}/next` }).end(`${request.method ?? ''} ${body}`));
  }));
  for (let count = 0; count < 2; count += 1) {
    const answer = await get(port, { method, headers: { host: '5173--shop.localhost:8080' }, ...(method === 'POST' ? { body: 'x'.repeat(100_000) } : {}) });
    expect(answer.body.toString()).toBe(method === 'POST' ? `POST ${'x'.repeat(100_000)}` : 'GET ');
    expect(answer.headers.location).toBe('http://5173--shop.localhost:8080/next');
  }
});

it('a server of HTTPS that answers plain HTTP in words is asked over TLS too, and a 400 of a plain server stays one', async () => {
  const http = createHttpServer((_request, response) => response.writeHead(400).end('bad'));
  expect((await get(await listen(http))).body.toString()).toBe('bad');
  const secure = await listen(createHttpsServer(certificate, (_request, response) => response.end('over TLS')));
  // As Go's and nginx's servers do: looks at the first byte.
  const front = createTcpServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (data: Buffer) => {
      if (data[0] !== 0x16) { socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'); return; }
      const inner = connect(secure, '127.0.0.1');
      inner.on('error', () => socket.destroy());
      inner.on('close', () => socket.destroy());
      inner.write(data);
      socket.pipe(inner).pipe(socket);
    });
  });
  expect((await get(await listen(front))).body.toString()).toBe('over TLS');
});

it('a WebSocket reaches a server of HTTPS, whichever comes first', async () => {
  const server = createHttpsServer(certificate);
  new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${String(data)}`)));
  const port = await listen(server);
  for (let count = 0; count < 2; count += 1) {
    const socket = new WebSocket(`ws://127.0.0.1:${agent.port}/_vessel/port/${port}/`, { headers: { authorization: `Bearer ${TEST_TOKEN}` } });
    const answer = new Promise((resolve, reject) => { socket.once('message', (data) => resolve(String(data))); socket.once('error', reject); });
    socket.once('open', () => socket.send('hello'));
    expect(await answer).toBe('echo hello');
    socket.close();
  }
});

it('a server that changes from HTTPS to HTTP on the same port is found again', async () => {
  const secure = createHttpsServer(certificate, (_request, response) => response.end('https'));
  const port = await listen(secure);
  expect((await get(port)).body.toString()).toBe('https');
  secure.closeAllConnections();
  await new Promise((resolve) => { secure.close(resolve); });
  await listen(createHttpServer((_request, response) => response.end('http')), port);
  expect((await get(port)).body.toString()).toBe('http');
});

it.each([
  ['a length beside chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nX-Long: one\r\n two\r\nContent-Length: 2\r\n\r\nok'],
  ['control characters in a header', 'HTTP/1.1 200 OK\r\nX-Odd: a\x01b\r\nContent-Length: 2\r\n\r\nok'],
  ['letters of Latin-1', 'HTTP/1.1 200 OK\r\nX-Name: caf\xe9\r\nContent-Length: 2\r\n\r\nok'],
  ['line feeds alone', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
  ['no reason and no length', 'HTTP/1.0 200\r\n\r\nok'],
  ['spaces after a chunk\'s size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n'],
  ['a repeated Set-Cookie', 'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok'],
])('an answer with %s passes, as browsers take it', async (_name, text) => {
  const answer = await get(await says(text));
  expect(answer).toMatchObject({ status: 200 });
  expect(answer.body.toString()).toBe('ok');
});

test('20 KB and 200 KB of headers pass', async () => {
  for (const bytes of [20_000, 200_000]) {
    const port = await listen(createHttpServer({ maxHeaderSize: 1_000_000 }, (_request, response) => response.writeHead(200, { 'x-long': 'x'.repeat(bytes) }).end('ok')));
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest({ host: '127.0.0.1', port: agent.port, path: `/_vessel/port/${port}/`, maxHeaderSize: 1_000_000, agent: false, headers: { authorization: `Bearer ${TEST_TOKEN}` } }, resolve).on('error', reject).end();
    });
    expect(answer.headers['x-long']).toHaveLength(bytes);
    answer.destroy();
  }
});

test('what a server did wrong is named', async () => {
  const huge = await says(`HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(300_000)}\r\n\r\n`);
  expect(await faultOf(huge)).toMatchObject({ status: 502, code: 'GUEST_PORT_FAILED', message: `the server on guest port ${huge} answered with more than 256 KB of headers` });
  const other = await says('SSH-2.0-OpenSSH_9.2\r\n');
  expect((await faultOf(other)).message).toContain(`the server on guest port ${other} answered something that is not HTTP`);
  const twice = await says('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok');
  expect((await faultOf(twice)).message).toContain('answered something that is not HTTP (Parse Error: Duplicate Content-Length)');
  const silent = await says('');
  expect((await faultOf(silent)).message).toBe(`the server on guest port ${silent} closed the connection without an answer`);
  const nobody = await listen(createHttpServer());
  const last = servers.pop();
  await new Promise((resolve) => { last?.close(resolve); });
  expect(await faultOf(nobody)).toMatchObject({ code: 'GUEST_PORT_CLOSED' });
});

test('a body that comes after the server gave up is told as what it is', async () => {
  const port = await says('');
  const answer = await get(port, { method: 'POST', body: Buffer.alloc(4_000_000) });
  expect(answer.status).toBe(502);
  expect(answer.body.toString()).toContain('GUEST_PORT_FAILED');
});

it.each(['GET', 'DELETE', 'OPTIONS', 'PROPFIND'])('a %s with a body of unknown length arrives whole', async (method) => {
  const got: string[] = [];
  const port = await listen(createHttpServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => { body += String(data); });
    request.on('end', () => { got.push(`${request.url ?? ''} ${body}`); response.end(); });
  }));
  for (let count = 0; count < 2; count += 1) await get(port, { method, headers: { 'transfer-encoding': 'chunked' }, body: 'GET /other HTTP/1.1\r\n\r\n' });
  expect(got).toEqual(new Array(2).fill('/ GET /other HTTP/1.1\r\n\r\n'));
});

test('headers arrive before the data that comes later', async () => {
  let finish: () => void = () => undefined;
  const port = await listen(createHttpServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    finish = () => response.end('data: late\n\n');
  }));
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port: agent.port, path: `/_vessel/port/${port}/`, agent: false, headers: { authorization: `Bearer ${TEST_TOKEN}` } }, resolve).on('error', reject).end();
  });
  expect(answer.headers['content-type']).toBe('text/event-stream');
  finish();
  let body = '';
  for await (const chunk of answer) body += String(chunk);
  expect(body).toBe('data: late\n\n');
});
