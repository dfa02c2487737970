import { readFile, stat } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enterHost, listen, send, startTestGateway, startTestGuest, upgrade, type TestGateway, type TestGuest } from './test-gateway.ts';

const ID = 'shop-api-k3f9';
const HTML = { accept: 'text/html' };
let guest: TestGuest;
let door: TestGateway;
let port: number;
const cookies = new Map<string, string>();
/** The cookie of a host, as a browser that has entered it holds it. */
async function cookieOf(frame: boolean, guestPort?: number): Promise<string> {
  const key = `${frame} ${guestPort ?? ''}`;
  const known = cookies.get(key) ?? await enterHost(door.gateway.urlFor({ projectId: ID, port: guestPort, frame }).url);
  cookies.set(key, known);
  return known;
}

beforeEach(async () => {
  guest = await startTestGuest();
  door = await startTestGateway();
  port = door.gateway.port;
  door.routes.set(ID, guest.route());
  cookies.clear();
});
afterEach(async () => {
  await door.close();
  await guest.close();
});

describe('the Host header', () => {
  it.each(['evil.example', 'evil.example:PORT', 'vessel.localhost.:PORT', 'vessel.localhost:1', `${ID}.localhost.evil.example:PORT`, 'a.b.localhost:PORT', `x--${ID}.localhost:PORT`, `99999--${ID}.localhost:PORT`, '192.168.1.1:PORT'])(
    'is refused with 421 for %s, even with the bearer', async (host) => {
      const answer = await send(port, host.replace('PORT', String(port)), '/', { headers: { authorization: `Bearer ${door.gateway.bearer}` } });
      expect([400, 421]).toContain(answer.status);
      expect(guest.seen).toEqual([]);
    });

  it('is read without regard to case', async () => {
    const answer = await send(port, `Shop-Api-K3F9.LOCALHOST:${port}`, '/', { headers: { cookie: await cookieOf(false) } });
    expect(answer.body).toBe('guest /');
  });

  it.each([[`${ID}.localhost`, false, undefined, '/x?y=1'], [`${ID}.vessel.localhost`, true, undefined, '/x?y=1'], [`5173--${ID}.localhost`, false, 5173, '/_vessel/port/5173/x?y=1'], [`5173--${ID}.vessel.localhost`, true, 5173, '/_vessel/port/5173/x?y=1']])(
    'leads %s to its place in the guest and stays what it was', async (name, frame, guestPort, url) => {
      const answer = await send(port, `${name}:${port}`, '/x?y=1', { headers: { cookie: await cookieOf(frame, guestPort) } });
      expect(answer.body).toBe(`guest ${url}`);
      expect(guest.seen[0]?.headers.host).toBe(`${name}:${port}`);
      expect(guest.seen[0]?.headers['x-forwarded-proto']).toBe('http');
    });
});

describe('access', () => {
  const host = (): string => `${ID}.localhost:${port}`;
  const origin = (): string => `http://${host()}`;

  it('is refused without a cookie, with 401 and the way in', async () => {
    const answer = await send(port, host(), '/', { headers: HTML });
    expect(answer.status).toBe(401);
    expect(answer.body).toContain(`vessel url ${ID}`);
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    expect(guest.seen).toEqual([]);
  });

  it('is refused with the cookie of another host', async () => {
    const cookie = await cookieOf(true);
    const app = await enterHost(door.gateway.appUrl());
    const other = await enterHost(door.gateway.urlFor({ projectId: 'other-k3f9', frame: false }).url);
    for (const foreign of [cookie, app, other, '__Host-vessel-session=', '__Host-vessel-session=x', 'vessel-session=x']) {
      expect((await send(port, host(), '/', { headers: { cookie: foreign } })).status).toBe(401);
    }
    expect((await upgrade(port, `vessel.localhost:${port}`, '/api/socket', { cookie, origin: `http://vessel.localhost:${port}` })).status).toBe(401);
    expect(guest.seen).toEqual([]);
  });

  it('by cookie needs the exact Origin for a write', async () => {
    const cookie = await cookieOf(false);
    for (const foreign of ['http://evil.localhost', `http://evil.localhost:${port}`, `http://vessel.localhost:${port}`, `http://5173--${ID}.localhost:${port}`, `http://${ID}.localhost:1`, `https://${host()}`, 'null', undefined]) {
      const answer = await send(port, host(), '/', { method: 'POST', headers: { cookie, ...(foreign === undefined ? {} : { origin: foreign }) }, body: 'x' });
      expect(answer.status).toBe(403);
    }
    expect(guest.seen).toEqual([]);
    expect((await send(port, host(), '/', { method: 'POST', headers: { cookie, origin: origin() }, body: 'x' })).status).toBe(200);
  });

  it('by cookie needs the exact Origin for a WebSocket', async () => {
    const cookie = await cookieOf(false);
    for (const foreign of ['http://127.0.0.1:9', `http://vessel.localhost:${port}`, 'null', undefined]) {
      expect((await upgrade(port, host(), '/', { cookie, ...(foreign === undefined ? {} : { origin: foreign }) })).status).toBe(403);
    }
    expect((await upgrade(port, host(), '/', { origin: origin() })).status).toBe(401);
    expect(guest.seen).toEqual([]);
    expect((await upgrade(port, host(), '/', { cookie, origin: origin() })).status).toBe(101);
  });

  it('by cookie is refused to a read and to a navigation that a page of another origin started', async () => {
    const cookie = await cookieOf(true);
    const frameHost = `${ID}.vessel.localhost:${port}`;
    const read = (headers: Record<string, string>): Promise<number> => send(port, frameHost, '/', { headers: { cookie, ...headers } }).then((answer) => answer.status);
    expect(await read({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' })).toBe(403);
    expect(await read({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors', origin: `http://vessel.localhost:${port}` })).toBe(403);
    expect(await read({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate' })).toBe(403);
    expect(await read({ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' })).toBe(200);
    expect(guest.seen).toHaveLength(1);
    guest.seen.length = 0;
    expect(await read({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' })).toBe(200);
  });

  it('accepts a form of a guest page that hides its referrer, when the browser vouches for the page', async () => {
    const name = `5173--${ID}.localhost:${port}`;
    const post = async (site: string): Promise<number> => (await send(port, name, '/', { method: 'POST', headers: { cookie: await cookieOf(false, 5173), origin: 'null', 'sec-fetch-site': site }, body: 'x' })).status;
    expect(await post('same-origin')).toBe(200);
    expect(await post('same-site')).toBe(403);
    expect(await post('cross-site')).toBe(403);
  });

  it('accepts the bearer on 127.0.0.1 for the app and refuses a wrong one', async () => {
    const ask = (bearer: string): Promise<unknown> => upgrade(port, `127.0.0.1:${port}`, '/api/socket', { authorization: `Bearer ${bearer}` }).then((answer) => answer.status);
    expect(await ask(door.gateway.bearer)).toBe(204);
    expect(await ask('0'.repeat(64))).toBe(401);
  });

  it('shows people who have not entered the app what to do', async () => {
    const answer = await send(port, `vessel.localhost:${port}`, '/', { headers: HTML });
    expect(answer.status).toBe(401);
    expect(answer.body).toContain('vessel url');
    const cookie = await enterHost(door.gateway.appUrl());
    expect((await send(port, `vessel.localhost:${port}`, '/', { headers: { ...HTML, cookie } })).body).toBe('app');
  });

  it('keeps the secret in a private file and finds it again', async () => {
    const path = join(door.home, 'session-secret');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toBe(door.gateway.bearer);
  });
});

describe('tickets', () => {
  it('become a host-only cookie and a clean address', async () => {
    const { url, origin } = door.gateway.urlFor({ projectId: ID, frame: false });
    expect(origin).toBe(`http://${ID}.localhost:${port}`);
    const answer = await send(port, new URL(url).host, `${new URL(url).pathname}${new URL(url).search}&to=${encodeURIComponent('/?folder=/home')}`);
    expect(answer.status).toBe(302);
    expect(answer.headers.location).toBe('/?folder=/home');
    expect(answer.headers['set-cookie']?.[0]).toMatch(/^__Host-vessel-session=[0-9a-z.]+\.[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Priority=High$/);
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
  });

  it('do not open another host', async () => {
    const { url } = door.gateway.urlFor({ projectId: ID, frame: false });
    for (const host of [`vessel.localhost:${port}`, `${ID}.vessel.localhost:${port}`, `3000--${ID}.localhost:${port}`, `127.0.0.1:${port}`]) {
      const answer = await send(port, host, `${new URL(url).pathname}${new URL(url).search}`);
      expect(answer.status).toBe(401);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });

  it.each(['//evil.example', '/\\evil.example', 'https://evil.example', '/\r\nset-cookie: a=b', 'javascript:alert(1)'])('never lead to another site: %j', async (to) => {
    const { url } = door.gateway.urlFor({ projectId: ID, frame: false });
    const answer = await send(port, new URL(url).host, `${new URL(url).pathname}${new URL(url).search}&to=${encodeURIComponent(to)}`);
    expect(answer.headers.location).toBe('/');
  });

  it('start the navigation anew when another site sent the browser, because a Strict cookie would stay at home', async () => {
    const { url } = door.gateway.urlFor({ projectId: ID, frame: false });
    const answer = await send(port, new URL(url).host, `${new URL(url).pathname}${new URL(url).search}`, { headers: { 'sec-fetch-site': 'cross-site' } });
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('http-equiv="refresh"');
    expect(answer.headers['set-cookie']).toHaveLength(1);
  });

  it('are made by the IDE\'s own links to its ports', async () => {
    const go = await send(port, `${ID}.vessel.localhost:${port}`, '/__vessel/go/5173/docs?a=b', { headers: { cookie: await cookieOf(true) } });
    expect(go.status).toBe(302);
    const next = new URL(go.headers.location ?? '');
    expect(next.host).toBe(`5173--${ID}.vessel.localhost:${port}`);
    expect((await send(port, next.host, `${next.pathname}${next.search}`)).headers.location).toBe('/docs?a=b');
    expect((await send(port, `${ID}.vessel.localhost:${port}`, '/__vessel/go/5173/')).status).toBe(401);
  });
});

describe('what the guest and the browser learn of each other', () => {
  const host = (): string => `${ID}.vessel.localhost:${port}`;

  it('the guest gets its token, never the session cookie, and the page\'s own Authorization apart', async () => {
    const cookie = await cookieOf(true);
    await send(port, host(), '/', { headers: { cookie: `a=1; ${cookie}; vessel-session=old; b=2`, authorization: 'Basic abc', 'x-vessel-evil': '1', 'x-forwarded-host': 'evil' } });
    const headers: IncomingHttpHeaders = guest.seen[0]?.headers ?? {};
    expect(headers.cookie).toBe('a=1; b=2');
    expect(headers.authorization).toBe('Bearer guest-token-guest-token-guest-token-0123');
    expect(headers['x-vessel-authorization']).toBe('Basic abc');
    expect(headers['x-vessel-evil']).toBeUndefined();
    expect(headers['x-forwarded-host']).toBe(host());
  });

  it('the guest never sees the bearer of a script', async () => {
    await send(port, host(), '/', { headers: { authorization: `Bearer ${door.gateway.bearer}` } });
    expect(JSON.stringify(guest.seen)).not.toContain(door.gateway.bearer);
    expect(guest.seen).toHaveLength(1);
  });

  it('the browser gets no cookie of ours from a guest, none for a domain, no Clear-Site-Data, and our framing rule', async () => {
    guest.handler = (_request, response) => response.writeHead(200, {
      'set-cookie': ['__Host-vessel-session=evil; Path=/; Secure', 'vessel-session=evil', ' __Host-Vessel-Session =evil; Secure', 'ok=1; Domain=vessel.localhost; Path=/', 'plain=2'],
      'clear-site-data': '"cookies"', 'x-frame-options': 'DENY', 'content-security-policy': "script-src 'self'; frame-ancestors 'none'", 'x-vessel-anything': '1',
    }).end();
    const { headers } = await send(port, host(), '/', { headers: { cookie: await cookieOf(true) } });
    expect(headers['set-cookie']).toEqual(['ok=1; Path=/', 'plain=2']);
    expect(headers['clear-site-data']).toBeUndefined();
    expect(headers['x-frame-options']).toBeUndefined();
    expect(headers['x-vessel-anything']).toBeUndefined();
    expect(headers['content-security-policy']).toBe(`script-src 'self', frame-ancestors 'self' http://vessel.localhost:${port}`);
    const top = await send(port, `${ID}.localhost:${port}`, '/', { headers: { cookie: await cookieOf(false) } });
    expect(top.headers['content-security-policy']).toBe("script-src 'self', frame-ancestors 'self'");
  });

  it.each(['/_vessel/v1/metrics', '//_vessel/v1/metrics', '/%5fvessel/v1/metrics', '/_VESSEL/port/22/', '/x/../_vessel/v1/metrics', '/%2e%2e/_vessel/v1', '/..%2f_vessel'])('the browser cannot call the agent itself: %s', async (path) => {
    const answer = await send(port, host(), path, { headers: { cookie: await cookieOf(true) } });
    expect([400, 404]).toContain(answer.status);
    const viaPort = await send(port, `5173--${ID}.vessel.localhost:${port}`, '/../../v1/metrics', { headers: { cookie: await cookieOf(true, 5173) } });
    expect(viaPort.status).toBe(400);
    expect(guest.seen).toEqual([]);
  });
});

describe('an environment that cannot answer', () => {
  it('that does not run is offered to be opened', async () => {
    door.routes.set(ID, { kind: 'not-running', name: 'Shop <API>', ideStaticDir: null });
    const answer = await send(port, `${ID}.vessel.localhost:${port}`, '/', { headers: { ...HTML, cookie: await cookieOf(true) } });
    expect(answer.status).toBe(503);
    expect(answer.body).toContain(`http://vessel.localhost:${port}/#/open/${ID}`);
    expect(answer.body).toContain('Shop &#60;API&#62;');
  });

  it('that starts is asked again by the page itself', async () => {
    door.routes.set(ID, { kind: 'starting', operationId: null, ideStaticDir: null });
    const answer = await send(port, `${ID}.localhost:${port}`, '/', { headers: { ...HTML, cookie: await cookieOf(false) } });
    expect(answer.body).toContain('http-equiv="refresh"');
  });

  it('that nobody knows is 404, for programs as an ErrorShape', async () => {
    door.routes.clear();
    const answer = await send(port, `${ID}.localhost:${port}`, '/', { headers: { cookie: await cookieOf(false) } });
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('whose port nobody listens on is asked again, and that is no activity', async () => {
    const answer = await send(port, `9--${ID}.localhost:${port}`, '/', { headers: { ...HTML, cookie: await cookieOf(false, 9) } });
    expect(answer.status).toBe(502);
    expect(answer.body).toContain('port 9');
    expect(answer.body).toContain('http-equiv="refresh"');
    expect(door.activity).toEqual([]);
  });

  it('whose machine is gone answers GUEST_UNREACHABLE', async () => {
    door.routes.set(ID, guest.route({ token: 'another-token-another-token-another-token', dial: () => Promise.reject(new Error('connect ECONNREFUSED')) }));
    const answer = await send(port, `${ID}.localhost:${port}`, '/', { headers: { cookie: await cookieOf(false) } });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'GUEST_UNREACHABLE' } });
  });

  it('that refuses our token says so', async () => {
    door.routes.set(ID, guest.route({ token: 'stale-token-stale-token-stale-token-stale' }));
    const answer = await send(port, `${ID}.localhost:${port}`, '/', { headers: { cookie: await cookieOf(false) } });
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'GUEST_UNAUTHORIZED' } });
  });
});

describe('the port', () => {
  it('that was asked for is taken, or refused with PORT_IN_USE', async () => {
    const blocker = createServer();
    const taken = await listen(blocker);
    await expect(startTestGateway({ port: taken })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await new Promise((resolve) => { blocker.close(resolve); });
    const second = await startTestGateway({ port: taken });
    expect(second.gateway.port).toBe(taken);
    expect(second.gateway.baseUrl).toBe(`http://vessel.localhost:${taken}`);
    await second.close();
  });
});
