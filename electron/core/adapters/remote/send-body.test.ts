import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Server as TcpServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { sendBody } from './send-body.ts';

const servers: (Server | TcpServer)[] = [];
afterEach(() => { for (const server of servers.splice(0)) { if ('closeAllConnections' in server) server.closeAllConnections(); server.close(); } });
async function listen<T extends Server | TcpServer>(server: T): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
const serve = (listener: RequestListener): Promise<string> => listen(createServer(listener));
const code = (name: string): unknown => expect.objectContaining({ code: name });
/** More than any buffer between two sockets holds. */
const LARGE = Buffer.alloc(12 * 1024 * 1024, 1);
const put = (address: string, more: Partial<Parameters<typeof sendBody>[1]> = {}): Promise<Response> => sendBody(address, { method: 'PUT', headers: {}, body: LARGE, ...more });

it('sends all of it, with its length, and gives the answer', async () => {
  let length = '';
  let bytes = 0;
  const address = await serve((request, response) => {
    length = request.headers['content-length'] ?? '';
    request.on('data', (chunk: Buffer) => { bytes += chunk.length; }).on('end', () => { response.writeHead(201, { 'x-one': 'two' }); response.end('{"ok":true}'); });
  });
  const answer = await put(address);
  expect([answer.status, answer.headers.get('x-one'), await answer.json(), length, bytes]).toEqual([201, 'two', { ok: true }, String(LARGE.length), LARGE.length]);
});

it('stops and drops the connection when it is refused before all of it was sent', async () => {
  let closed: () => void;
  const gone = new Promise<void>((resolve) => { closed = resolve; });
  const address = await serve((request, response) => {
    // Begun to be read, and never read on: a server keeps such a connection for as long as it likes.
    request.read(0);
    request.socket.once('close', () => closed());
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end('{"statusCode":"413"}');
  });
  const began = performance.now();
  const answer = await put(address);
  expect([answer.status, await answer.text()]).toEqual([400, '{"statusCode":"413"}']);
  await gone;
  expect(performance.now() - began).toBeLessThan(3_000);
});

it('gives up on a link that no longer moves', async () => {
  const silent = createTcp((socket) => { socket.pause(); });
  await expect(put(await listen(silent), { stallMs: 150 })).rejects.toThrow(code('CLOUD_OFFLINE'));
});

it('has all the time that it needs while something moves', async () => {
  // A server that takes a little at a time, for longer than the link may stand still.
  const address = await serve((request, response) => {
    const take = (): void => { request.read(64 * 1024); if (request.readableEnded) return; setTimeout(take, 5); };
    request.once('readable', take).once('end', () => response.end('done'));
  });
  const body = Buffer.alloc(2 * 1024 * 1024);
  const answer = await put(address, { body, stallMs: 400 });
  expect(await answer.text()).toBe('done');
});

it('ends at once when it is cancelled, before and in the middle', async () => {
  const address = await serve((request) => { request.read(0); });
  const abort = new AbortController();
  const work = put(address, { signal: abort.signal });
  setImmediate(() => abort.abort());
  await expect(work).rejects.toThrow(code('CANCELLED'));
  await expect(put(address, { signal: abort.signal })).rejects.toThrow(code('CANCELLED'));
});

it('says that there is no network when nothing answers, and keeps an answer that is cut off', async () => {
  const free = createTcp();
  const address = await listen(free);
  await new Promise((resolve) => { free.close(resolve); });
  await expect(put(address)).rejects.toThrow(code('CLOUD_OFFLINE'));
  const cut = await listen(createTcp((socket) => { socket.once('data', () => { socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\n{"sta'); setImmediate(() => socket.end()); }); }));
  expect((await put(cut, { body: Buffer.from('x') })).status).toBe(403);
});
