import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { itUnless, NOT_LINUX } from '../../../../build/testing/describe-unless.ts';
import { RENEWAL_PATH } from '#shared/renewal.ts';
import { Access } from './access.ts';
import { SESSION_IDLE_MS, SESSION_LONGEST_MS, SESSION_RENEW_MS } from './cookies.ts';
import { parseHost } from './hosts.ts';
import { peerUser } from './peer-user.ts';
import { fromHex } from './session-secret.ts';
import { enterHost, send, startTestGateway, startTestGuest, upgrade, type TestGateway, type TestGuest } from './test-gateway.ts';

const ID = 'shop-api-k3f9';
const OTHER = 'evil-env-2345';
const HTML = { accept: 'text/html' };
let guest: TestGuest;
let door: TestGateway;
let port: number;

beforeEach(async () => {
  guest = await startTestGuest();
  door = await startTestGateway();
  port = door.gateway.port;
  for (const id of [ID, OTHER]) door.routes.set(id, guest.route());
});
afterEach(async () => {
  await door.close();
  await guest.close();
});
const enter = (frame: boolean, guestPort?: number): Promise<string> => enterHost(door.gateway.urlFor({ projectId: ID, port: guestPort, frame }).url);

describe('a navigation that another page started', () => {
  const host = (): string => `${ID}.vessel.localhost:${port}`;
  const navigate = async (path: string, headers: Record<string, string> = {}): Promise<{ readonly status: number; readonly body: string; readonly location: string | undefined }> => {
    const answer = await send(port, host(), path, { headers: { ...HTML, cookie: await enter(true), 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', ...headers } });
    return { status: answer.status, body: answer.body, location: answer.headers.location };
  };

  it.each(['/', '/?payload=[["openFile","x"]]', '/__vessel/go/5173/x', '/proxy/8080/'])('reaches nothing in an environment, and gets no ticket: %s', async (path) => {
    for (const referer of [undefined, `http://${OTHER}.vessel.localhost:${port}/`, `http://5173--${ID}.vessel.localhost:${port}/`]) {
      for (const dest of ['iframe', 'document']) {
        const answer = await navigate(path, { 'sec-fetch-dest': dest, ...(referer === undefined ? {} : { referer }) });
        expect(answer).toMatchObject({ status: 403, location: undefined });
        expect(answer.body).toContain('<a href="/"');
        expect(answer.body).not.toMatch(/ticket|payload/);
      }
    }
    expect(guest.seen).toEqual([]);
  });

  it('gets nowhere by the entry address either, once the browser has a session', async () => {
    const to = encodeURIComponent('/?payload=x');
    for (const site of ['same-site', 'cross-site']) {
      expect(await navigate(`/__vessel/enter?ticket=wrong&to=${to}`, { 'sec-fetch-site': site })).toMatchObject({ status: 403, location: undefined });
    }
    expect(await navigate(`/__vessel/enter?ticket=wrong&to=${to}`, { 'sec-fetch-site': 'none' })).toMatchObject({ status: 302, location: '/?payload=x' });
  });

  it('goes on where it leads when a ticket was bought for it: that address, once', async () => {
    const { url } = door.gateway.urlFor({ projectId: ID, frame: true });
    const { pathname, search } = new URL(url);
    const frame = { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' };
    const entered = await send(port, host(), `${pathname}${search}&to=${encodeURIComponent('/?folder=/home/"a"')}`, { headers: frame });
    expect(entered).toMatchObject({ status: 302, headers: { location: '/?folder=/home/"a"' } });
    const cookie = entered.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    const follow = async (path: string): Promise<number> => (await send(port, host(), path, { headers: { cookie, ...frame } })).status;
    expect(await follow('/?folder=/elsewhere')).toBe(403);
    expect(await follow('/?folder=/home/%22a%22')).toBe(200);
    expect(await follow('/?folder=/home/%22a%22')).toBe(403);
  });

  it('goes on along the redirects of what it entered, on that host, and no further', async () => {
    guest.handler = (request, response) => {
      const to = { '/': './?folder=/home', '/?folder=/home': '/last', '/last': `http://${OTHER}.vessel.localhost:${port}/` }[request.url ?? ''];
      if (to === undefined) response.end('there');
      else response.writeHead(302, { location: to }).end();
    };
    const frame = { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' };
    const { pathname, search } = new URL(door.gateway.urlFor({ projectId: ID, frame: true }).url);
    const entered = await send(port, host(), `${pathname}${search}`, { headers: frame });
    const cookie = entered.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    const other = await enterHost(door.gateway.urlFor({ projectId: OTHER, frame: true }).url);
    const follow = async (path: string): Promise<number> => (await send(port, host(), path, { headers: { cookie, ...frame } })).status;
    expect(await follow('/?folder=/home')).toBe(403);
    expect(await follow('/')).toBe(302);
    expect(await follow('/?folder=/home')).toBe(302);
    expect(await follow('/?folder=/home')).toBe(403);
    expect(await follow('/last')).toBe(302);
    expect((await send(port, `${OTHER}.vessel.localhost:${port}`, '/', { headers: { cookie: other, ...frame } })).status).toBe(403);
  });

  it('in a tab goes on by a page that starts anew, so that a reload works', async () => {
    const { pathname, search } = new URL(door.gateway.urlFor({ projectId: ID, frame: true }).url);
    const answer = await send(port, host(), `${pathname}${search}`, { headers: { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } });
    expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('http-equiv="refresh"') });
  });
});

describe('a session', () => {
  const host = (): string => `${ID}.localhost:${port}`;
  const visit = (cookie: string): ReturnType<typeof send> => send(port, host(), '/', { headers: { cookie } });
  const renewed = (answer: Awaited<ReturnType<typeof send>>): string | undefined => answer.headers['set-cookie']?.[0]?.split(';')[0];

  it('ends when it is not used', async () => {
    const cookie = await enter(false);
    door.clock.now += SESSION_IDLE_MS - 1_000;
    expect((await visit(cookie)).status).toBe(200);
    door.clock.now += 2_000;
    expect((await visit(cookie)).status).toBe(401);
  });

  it('gets another value in use, on pages and WebSockets, beside the cookies of the guest', async () => {
    guest.handler = (_request, response) => response.setHeader('set-cookie', 'own=1').end();
    const cookie = await enter(false);
    expect((await visit(cookie)).headers['set-cookie']).toEqual(['own=1']);
    door.clock.now += SESSION_RENEW_MS;
    const answer = await visit(cookie);
    expect(answer.headers['set-cookie']).toEqual([expect.stringContaining('__Host-vessel-session='), 'own=1']);
    const next = renewed(answer) ?? '';
    expect(next).not.toBe(cookie);
    expect((await visit(next)).headers['set-cookie']).toEqual(['own=1']);
    const socket = await upgrade(port, host(), '/', { cookie, origin: `http://${host()}` });
    expect(socket).toMatchObject({ status: 101, headers: { 'set-cookie': [expect.stringContaining('__Host-vessel-session=')] } });
  });

  it('ends after a month however much it is used', async () => {
    let cookie = await enter(false);
    const end = door.clock.now + SESSION_LONGEST_MS;
    while (door.clock.now + SESSION_IDLE_MS / 2 < end) {
      door.clock.now += SESSION_IDLE_MS / 2;
      const answer = await visit(cookie);
      expect(answer.status).toBe(200);
      cookie = renewed(answer) ?? cookie;
    }
    door.clock.now = end;
    expect((await visit(cookie)).status).toBe(401);
  });

  it('survives a restart of the server, but no ticket does, used or not', async () => {
    const used = door.gateway.urlFor({ projectId: ID, frame: false }).url;
    const unused = door.gateway.urlFor({ projectId: ID, frame: false }).url;
    const cookie = await enterHost(used);
    await door.gateway.close();
    const second = await startTestGateway({ home: door.home, port });
    second.routes.set(ID, guest.route());
    for (const url of [used, unused]) expect(await enterHost(url)).toBe('');
    expect((await visit(cookie)).status).toBe(200);
    await second.close();
  });

  it('of the app comes back by a key that only the app\'s own page can read', async () => {
    const app = `vessel.localhost:${port}`;
    const origin = `http://${app}`;
    const cookie = await enterHost(door.gateway.appUrl());
    const ask = (headers: Record<string, string>): ReturnType<typeof send> => send(port, app, RENEWAL_PATH, { headers });
    const { body: key } = await ask({ cookie, 'sec-fetch-site': 'same-origin' });
    for (const site of ['same-site', 'cross-site']) expect((await ask({ cookie, 'sec-fetch-site': site })).status).toBe(403);
    expect((await ask({})).status).toBe(401);
    const renew = (headers: Record<string, string>, body: string, name = app): ReturnType<typeof send> => send(port, name, RENEWAL_PATH, { method: 'POST', headers, body });
    const back = await renew({ origin }, key);
    expect(back.status).toBe(204);
    expect((await send(port, app, '/', { headers: { ...HTML, cookie: renewed(back) ?? '' } })).body).toBe('app');
    for (const foreign of [`http://${ID}.vessel.localhost:${port}`, 'null', 'http://evil.example']) expect((await renew({ origin: foreign }, key)).status).toBe(403);
    for (const wrong of ['', 'x', `${key}x`, key.replace(/^./, '0'), cookie.split('=')[1] ?? '', 'x'.repeat(10_000)]) expect((await renew({ origin }, wrong)).status).toBe(401);
    expect((await renew({ origin: `http://${ID}.localhost:${port}` }, key, `${ID}.localhost:${port}`)).status).toBe(403);
    door.clock.now += SESSION_LONGEST_MS;
    expect((await renew({ origin }, key)).status).toBe(401);
  });
});

describe('a page that asks another port of its environment', () => {
  const host = (): string => `4000--${ID}.localhost:${port}`;
  const page = (): string => `http://5173--${ID}.localhost:${port}`;
  const reach = (headers: Record<string, string>, method = 'GET', name = host()): Promise<number> => send(port, name, '/api', { method, headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', ...headers } }).then((answer) => answer.status);

  it('is answered as on localhost, without a cookie: reads, preflights, writes, WebSockets, images, links', async () => {
    for (const method of ['GET', 'OPTIONS', 'POST', 'DELETE']) expect(await reach({ origin: page() }, method)).toBe(200);
    expect((await upgrade(port, host(), '/', { origin: page() })).status).toBe(101);
    expect(await reach({ referer: `${page()}/`, 'sec-fetch-mode': 'no-cors' })).toBe(200);
    const link = await send(port, host(), '/', { headers: { referer: `${page()}/`, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } });
    expect(link.headers['set-cookie']).toEqual([expect.stringContaining('__Host-vessel-session=')]);
    expect(await reach({ origin: `http://${ID}.localhost:${port}` })).toBe(200);
    expect(guest.seen.at(0)?.headers.origin).toBe(page());
  });

  it('is refused when it belongs to another environment, another sort of name, another port of this computer, or hides who it is', async () => {
    const strangers = [
      `http://5173--${OTHER}.localhost:${port}`, `http://5173--${ID}.vessel.localhost:${port}`, `http://5173--${ID}.localhost:1`, `http://5173--${ID}.localhost`, `https://5173--${ID}.localhost:${port}`,
      `http://vessel.localhost:${port}`, 'http://evil.example', 'http://localhost:5173', 'null',
    ];
    for (const origin of strangers) {
      for (const method of ['GET', 'OPTIONS', 'POST']) expect([401, 403]).toContain(await reach({ origin }, method));
      expect([401, 403]).toContain(await reach({ referer: `${origin}/`, 'sec-fetch-mode': 'no-cors' }));
      expect([401, 403]).toContain((await upgrade(port, host(), '/', { origin })).status);
    }
    expect([401, 403]).toContain(await reach({ referer: `${page()}/` }, 'POST'));
    expect([401, 403]).toContain((await upgrade(port, host(), '/', { referer: `${page()}/` })).status);
    expect(guest.seen).toEqual([]);
  });

  it('does not reach VS Code, which could act for the person', async () => {
    for (const method of ['GET', 'OPTIONS', 'POST']) expect([401, 403]).toContain(await reach({ origin: page() }, method, `${ID}.localhost:${port}`));
    expect([401, 403]).toContain((await upgrade(port, `${ID}.localhost:${port}`, '/', { origin: page() })).status);
    expect(guest.seen).toEqual([]);
  });
});

describe('whose connection it is', () => {
  const sockets: Socket[] = [];
  afterEach(() => { for (const socket of sockets.splice(0)) socket.destroy(); });

  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) itUnless(NOT_LINUX, `is read from the system, over ${address}`, async () => {
    const server = createServer();
    await new Promise<void>((resolve) => { server.listen(0, address === '::1' ? '::1' : '127.0.0.1', resolve); });
    const listening = server.address();
    const arrived = new Promise<Socket>((resolve) => { server.once('connection', resolve); });
    sockets.push(connect({ host: address, port: typeof listening === 'object' && listening !== null ? listening.port : 0 }));
    const socket = await arrived;
    sockets.push(socket);
    expect(peerUser(socket)).toBe(process.getuid?.());
    server.close();
  });

  it('keeps another user\'s program out that claims to be a page of the environment', () => {
    const access = new Access(fromHex('ab'.repeat(32)), () => 8080, Date.now);
    const target = parseHost(`4000--${ID}.localhost:8080`, 8080);
    // A connection that the system's tables do not know belongs to nobody that was seen.
    const request = { method: 'GET', headers: { origin: `http://5173--${ID}.localhost:8080` }, socket: { remoteAddress: '127.0.0.1', remotePort: 1, localAddress: '127.0.0.1', localPort: 2 } };
    expect(() => target !== null && access.require(request as never, target, false)).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }));
  });
});
