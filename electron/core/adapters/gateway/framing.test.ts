import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { send, startTestDoor, upgrade, type TestGateway, type TestGuest } from './test-gateway.ts';

/** How requests and answers are framed on their way: what one side sees as one message the other must not see as two. */
const ID = 'shop-api-k3f9';
let guest: TestGuest;
let door: TestGateway;
let host: string;
let cookie: string;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ guest, door, host, cookie, close } = await startTestDoor(ID));
});
afterEach(() => close());

/** Sends bytes as they are and resolves with all that comes back until the gateway closes. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: door.gateway.port });
    let got = '';
    socket.setEncoding('latin1');
    socket.on('data', (data: string) => { got += data; });
    socket.on('error', reject);
    socket.on('close', () => resolve(got));
    socket.write(text.replace('HOST', `host: ${host}\r\ncookie: ${cookie}\r\norigin: http://${host}`), 'latin1');
  });
}

it.each(['GET', 'DELETE', 'OPTIONS', 'POST', 'PATCH', 'PURGE', 'REPORT'])('a %s with a body of unknown length arrives whole, and so does what follows', async (method) => {
  const got: string[] = [];
  guest.handler = (request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => { body += String(data); });
    request.on('end', () => { got.push(`${request.method ?? ''} ${body}`); response.end('done'); });
  };
  const headers = { cookie, origin: `http://${host}` };
  for (let count = 0; count < 3; count += 1) {
    const answer = await new Promise<number>((resolve, reject) => {
      const outgoing = httpRequest({ host: '127.0.0.1', port: door.gateway.port, method, path: '/', agent: false, headers: { host, ...headers, 'transfer-encoding': 'chunked' } }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      outgoing.on('error', reject);
      outgoing.write('GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n');
      outgoing.end('end');
    });
    expect(answer).toBe(200);
  }
  expect(got).toEqual(new Array(3).fill(`${method} GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\nend`));
  expect(guest.seen.map(({ url }) => url)).toEqual(['/', '/', '/']);
});

it.each([
  ['both framings', 'content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['two lengths', 'content-length: 4\r\ncontent-length: 5\r\n\r\nabcde'],
  ['another coding', 'transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['a coding that hides', 'transfer-encoding: xchunked\r\n\r\n0\r\n\r\n'],
  ['a space before the colon', 'transfer-encoding : chunked\r\n\r\n0\r\n\r\n'],
  ['a line that begins with a space', 'x: 1\r\n y: 2\r\ncontent-length: 0\r\n\r\n'],
])('a request with %s is refused, and nothing of it reaches the guest', async (_name, rest) => {
  const answer = await raw(`POST / HTTP/1.1\r\nHOST\r\nconnection: close\r\n${rest}`);
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(guest.seen).toEqual([]);
});

it('headers reach the browser before the data that comes later', async () => {
  let finish: () => void = () => undefined;
  guest.handler = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    finish = () => response.end('data: late\n\n');
  };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port: door.gateway.port, path: '/', agent: false, headers: { host, cookie } }, resolve).on('error', reject).end();
  });
  expect(answer.headers['content-type']).toBe('text/event-stream');
  finish();
  let body = '';
  for await (const chunk of answer) body += String(chunk);
  expect(body).toBe('data: late\n\n');
});

it('an answer with 100 KB of headers passes', async () => {
  guest.handler = (_request, response) => response.writeHead(200, { 'x-long': 'x'.repeat(100_000) }).end('ok');
  const answer = await send(door.gateway.port, host, '/', { headers: { cookie }, maxHeaderSize: 1_000_000 });
  expect(answer).toMatchObject({ status: 200, body: 'ok' });
});

it.each([['401', 'Unauthorized'], ['403', 'Forbidden'], ['426', 'Upgrade Required']])('a guest\'s own %s to an upgrade passes with its headers and its body', async (status, words) => {
  guest.onUpgrade = (socket: Duplex) => socket.end(`HTTP/1.1 ${status} ${words}\r\nwww-authenticate: Bearer realm="own"\r\nset-cookie: vessel-session=evil\r\nset-cookie: own=1\r\ntransfer-encoding: chunked\r\n\r\n4\r\nno, \r\n4\r\nmine\r\n0\r\n\r\n`);
  const answer = await upgrade(door.gateway.port, host, '/', { cookie, origin: `http://${host}` });
  expect(answer).toMatchObject({ status: Number(status), body: 'no, mine', headers: { 'www-authenticate': 'Bearer realm="own"', 'set-cookie': ['own=1'] } });
  expect(answer.headers['content-security-policy']).toContain('frame-ancestors');
});

it('the agent\'s own failure of an upgrade is still one', async () => {
  const body = JSON.stringify({ error: { code: 'GUEST_PORT_CLOSED', message: 'nothing listens on guest port 9', hint: 'x', retryable: true } });
  guest.onUpgrade = (socket: Duplex) => socket.end(`HTTP/1.1 502 Refused\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
  const answer = await upgrade(door.gateway.port, host, '/', { cookie, origin: `http://${host}` });
  expect(answer.status).toBe(502);
  expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'GUEST_PORT_CLOSED' } });
});
