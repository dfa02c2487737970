import { createServer, type Server } from 'node:http';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RENEWAL_PATH, RENEWAL_STORAGE_NAME } from '#shared/renewal.ts';
import { listen, startTestGateway, startTestGuest, type TestGateway, type TestGuest } from './test-gateway.ts';

/** Attacks by pages in the same browser, with a real Chromium: what a header test cannot know is how browsers behave. */
const CHROMIUM = process.env['VESSEL_CHROMIUM'] ?? '/usr/bin/chromium';
const ID = 'shop-api-k3f9';
const OTHER = 'evil-env-2345';
const TEST_DEADLINE_MS = 60_000;
let browser: Browser;
let context: BrowserContext;
let guest: TestGuest;
let door: TestGateway;
let attacker: Server;
let attackerPort: number;
let appPosts: string[];

beforeAll(async () => { browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--headless=new'] }); }, TEST_DEADLINE_MS);
afterAll(async () => { await browser.close(); });

beforeEach(async () => {
  guest = await startTestGuest();
  guest.handler = (request, response) => {
    // As API servers for development do: whoever asks may read.
    if (request.headers.origin !== undefined) response.setHeader('access-control-allow-origin', request.headers.origin).setHeader('access-control-allow-credentials', 'true').setHeader('access-control-allow-headers', 'content-type, x-own').setHeader('access-control-allow-methods', 'PUT');
    const [type, text] = CONTENT.find(([end]) => request.url?.endsWith(end))?.slice(1) ?? ['text/html', '<title>guest</title><p>secret of the guest</p>'];
    response.setHeader('content-type', type ?? '');
    if (type === 'text/event-stream') response.flushHeaders();
    else response.end(text);
  };
  door = await startTestGateway();
  appPosts = [];
  door.gateway.mount({
    request: (request, response) => {
      try {
        if (request.url?.startsWith('/api/') === true) door.gateway.authenticate(request);
      } catch {
        response.writeHead(403).end(); // what the real door does with a refusal, in short
        return;
      }
      if (request.method === 'POST') appPosts.push(request.headers.origin ?? 'none');
      response.setHeader('content-type', 'text/html').end('<title>app</title>');
    },
    upgrade: (_request, socket) => { appPosts.push('socket'); socket.end('HTTP/1.1 204 No Content\r\n\r\n'); },
  });
  for (const id of [ID, OTHER]) door.routes.set(id, guest.route());
  attacker = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<title>attacker</title>'));
  attackerPort = await listen(attacker);
  context = await browser.newContext();
  await enter({ projectId: ID, frame: false });
  await enter({ projectId: ID, frame: true });
  await enter({ projectId: ID, frame: true, port: 5173 });
  const page = await context.newPage();
  await page.goto(door.gateway.appUrl());
  await page.close();
}, TEST_DEADLINE_MS);
afterEach(async () => {
  await context.close();
  attacker.closeAllConnections();
  attacker.close();
  await door.close();
  await guest.close();
});

async function enter(target: { readonly projectId: string; readonly frame: boolean; readonly port?: number }): Promise<string> {
  const { url, origin } = door.gateway.urlFor({ port: undefined, ...target });
  const page = await context.newPage();
  await page.goto(url);
  expect(await page.title()).toBe('guest');
  expect(page.url()).toBe(`${origin}/`);
  await page.close();
  return origin;
}
/** What the guest's server says, by the end of the address. */
const CONTENT = [
  ['.js', 'text/javascript', 'window.stolen = "secret"'], ['/events', 'text/event-stream', ''], ['/pixel.svg', 'image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'],
] as const;
const at = (host: string): string => `http://${host}:${door.gateway.port}`;

/** Runs in the page (as text: Node's types know no document). Everything a hostile page may try against `target`. */
const ATTACK = `async (target) => {
  const settle = (promise) => Promise.race([promise.catch(() => 'blocked'), new Promise((resolve) => setTimeout(() => resolve('blocked'), 1500))]);
  const results = {};
  results['fetch'] = await settle(fetch(target + '/', { credentials: 'include' }).then((answer) => answer.text()));
  results['opaque fetch'] = await settle(fetch(target + '/x.js', { credentials: 'include', mode: 'no-cors' }).then((answer) => answer.type === 'opaque' ? 'blocked' : answer.text()));
  results['post'] = await settle(fetch(target + '/write', { method: 'POST', credentials: 'include', mode: 'no-cors', body: 'x' }).then(() => 'blocked'));
  results['script'] = await settle(new Promise((resolve) => {
    const script = document.createElement('script');
    script.src = target + '/x.js';
    script.onload = () => resolve(String(window.stolen ?? 'blocked'));
    script.onerror = () => resolve('blocked');
    document.head.append(script);
  }));
  results['socket'] = await settle(new Promise((resolve) => {
    const socket = new WebSocket(target.replace('http', 'ws') + '/socket');
    socket.onopen = () => resolve('open');
    socket.onerror = () => resolve('blocked');
  }));
  results['plain fetch'] = await settle(fetch(target + '/').then((answer) => answer.text()));
  results['preflight'] = await settle(fetch(target + '/json', { method: 'PUT', headers: { 'content-type': 'application/json', 'x-own': '1' }, body: '{}' }).then((answer) => answer.text()));
  results['events'] = await settle(new Promise((resolve) => {
    const events = new EventSource(target + '/events');
    events.onopen = () => { events.close(); resolve('open'); };
    events.onerror = () => { events.close(); resolve('blocked'); };
  }));
  results['image'] = await settle(new Promise((resolve) => {
    const image = new Image();
    image.src = target + '/pixel.svg';
    image.onload = () => resolve('shown');
    image.onerror = () => resolve('blocked');
  }));
  return results;
}`;
const attack = (page: Page, victim: string): Promise<Record<string, string>> => page.evaluate(`(${ATTACK})(${JSON.stringify(victim)})`);
const showFrame = (page: Page, address: string): Promise<unknown> => page.evaluate(`document.body.innerHTML = ${JSON.stringify(`<iframe src="${address}"></iframe>`)}`);
/** What reached the guest; browsers ask for a favicon whenever they like. */
const reached = (): readonly string[] => guest.seen.filter(({ url }) => !url.endsWith('/favicon.ico')).map(({ method }) => method).sort();

const ALL_BLOCKED = { fetch: 'blocked', 'opaque fetch': 'blocked', post: 'blocked', script: 'blocked', socket: 'blocked', 'plain fetch': 'blocked', preflight: 'blocked', events: 'blocked', image: 'blocked' };

describe('a page of another origin in the same browser', () => {
  it.each([['127.0.0.1', 'another port'], ['evil.localhost', 'another name']])('%s (%s) cannot read, write or connect to an environment or the app', async (host) => {
    const page = await context.newPage();
    await page.goto(`http://${host}:${attackerPort}/`);
    guest.seen.length = 0;
    for (const victim of [at(`${ID}.localhost`), at(`4000--${ID}.localhost`), at(`${ID}.vessel.localhost`), at('vessel.localhost')]) expect(await attack(page, victim)).toEqual(ALL_BLOCKED);
    expect(reached()).toEqual([]);
    expect(appPosts).toEqual([]);
  }, TEST_DEADLINE_MS);

  it('cannot frame an environment or the app', async () => {
    const page = await context.newPage();
    await page.goto(`http://evil.localhost:${attackerPort}/`);
    for (const victim of [at(`${ID}.localhost`), at(`${ID}.vessel.localhost`), at(`5173--${ID}.vessel.localhost`)]) {
      await showFrame(page, `${victim}/`);
      await page.waitForTimeout(500);
      const shown = await Promise.all(page.frames().slice(1).map((frame) => frame.content().catch(() => '')));
      expect(shown.join()).not.toContain('secret of the guest');
    }
  }, TEST_DEADLINE_MS);

  it('that links into an environment leads to a question first, and no request reaches the guest', async () => {
    const page = await context.newPage();
    await page.goto(`http://evil.localhost:${attackerPort}/`);
    guest.seen.length = 0;
    await Promise.all([page.waitForNavigation(), page.evaluate(`location.href = ${JSON.stringify(`${at(`${ID}.localhost`)}/?payload=evil`)}`)]);
    expect(await page.content()).toContain('Continue');
    expect(reached()).toEqual([]);
    await Promise.all([page.waitForNavigation(), page.click('a')]);
    expect(await page.title()).toBe('guest');
    expect(page.url()).toBe(`${at(`${ID}.localhost`)}/`);
  }, TEST_DEADLINE_MS);

  it('cannot get in by pointing a foreign name at this computer', async () => {
    const rebound = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--headless=new', '--host-resolver-rules=MAP rebound.example 127.0.0.1'] });
    const page = await rebound.newPage();
    const answer = await page.goto(`http://rebound.example:${door.gateway.port}/`);
    expect(answer?.status()).toBe(421);
    await rebound.close();
  }, TEST_DEADLINE_MS);
});

describe('a hostile guest page, same-site with the app', () => {
  it('cannot post to the app, read from it, open its socket, or touch another environment', async () => {
    await enter({ projectId: OTHER, frame: true });
    const page = await context.newPage();
    await page.goto(`${at(`${OTHER}.vessel.localhost`)}/`);
    guest.seen.length = 0;
    for (const victim of [at('vessel.localhost'), at(`${ID}.vessel.localhost`), at(`5173--${ID}.vessel.localhost`), at(`4000--${ID}.localhost`)]) {
      const got = await attack(page, `${victim}${victim === at('vessel.localhost') ? '/api' : ''}`);
      expect(got).toEqual(ALL_BLOCKED);
    }
    expect(reached()).toEqual([]);
    expect(appPosts).toEqual([]);
  }, TEST_DEADLINE_MS);

  it('cannot submit a form to the app', async () => {
    const page = await context.newPage();
    await page.goto(`${at(`${ID}.vessel.localhost`)}/`);
    await page.evaluate(`(() => {
      const form = document.createElement('form');
      form.method = 'POST';
      form.enctype = 'text/plain';
      form.action = ${JSON.stringify(`${at('vessel.localhost')}/api/call/app.quit`)};
      document.body.append(form);
      form.submit();
    })()`);
    await page.waitForTimeout(500);
    expect(appPosts).toEqual([]);
  }, TEST_DEADLINE_MS);

  it('cannot plant a session cookie for its neighbours, nor read its own', async () => {
    const page = await context.newPage();
    await page.goto(`${at(`${ID}.vessel.localhost`)}/`);
    const visible = await page.evaluate(`(() => {
      document.cookie = '__Host-vessel-session=evil; domain=vessel.localhost; path=/; secure';
      document.cookie = '__Host-vessel-session=evil; path=/; secure';
      return document.cookie;
    })()`);
    expect(visible).not.toContain('vessel-session');
    await page.goto(`${at('vessel.localhost')}/`);
    expect(await page.title()).toBe('app');
  }, TEST_DEADLINE_MS);

  it('cannot frame its neighbour, while the app frames both', async () => {
    const page = await context.newPage();
    const framed = async (from: string, victim: string): Promise<string> => {
      await page.goto(from);
      await showFrame(page, victim.includes('?') ? victim : `${victim}/`);
      await page.waitForTimeout(500);
      return (await Promise.all(page.frames().slice(1).map((frame) => frame.content().catch(() => '')))).join();
    };
    await enter({ projectId: OTHER, frame: true });
    expect(await framed(`${at(`${OTHER}.vessel.localhost`)}/`, at(`${ID}.vessel.localhost`))).not.toContain('secret of the guest');
    // With a ticket, as the app enters.
    for (const projectId of [ID, OTHER]) expect(await framed(`${at('vessel.localhost')}/`, door.gateway.urlFor({ projectId, frame: true }).url)).toContain('secret of the guest');
    expect(await framed(`${at('vessel.localhost')}/`, at(`${ID}.localhost`))).not.toContain('secret of the guest');
  }, TEST_DEADLINE_MS);
});

describe('a page of another environment that sends the browser somewhere', () => {
  it.each(['/?payload=[["openFile","x"]]', '/__vessel/go/5173/docs', '/__vessel/enter?to=%2F%3Fpayload%3Dx'])('drives no editor and gets no ticket by %s', async (path) => {
    await enter({ projectId: OTHER, frame: true });
    const page = await context.newPage();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    const start = `${at(`${OTHER}.vessel.localhost`)}/`;
    const victim = `${at(`${ID}.vessel.localhost`)}${path}`;
    await page.goto(start);
    guest.seen.length = 0;
    await showFrame(page, victim);
    await page.waitForTimeout(300);
    expect((await Promise.all(page.frames().slice(1).map((frame) => frame.content().catch(() => '')))).join()).not.toContain('secret of the guest');
    for (const go of [`location.href = ${JSON.stringify(victim)}`, `(() => { const link = document.createElement('a'); link.href = ${JSON.stringify(victim)}; link.referrerPolicy = 'no-referrer'; document.body.append(link); link.click(); })()`]) {
      await page.goto(start);
      guest.seen.length = 0;
      await Promise.all([page.waitForNavigation(), page.evaluate(go)]);
      expect(await page.content()).toContain('Continue');
    }
    expect(reached()).toEqual([]);
    expect(asked.filter((url) => url.includes('ticket='))).toEqual([]);
    await Promise.all([page.waitForNavigation(), page.click('a')]);
    expect(page.url()).toBe(`${at(`${ID}.vessel.localhost`)}/`);
    expect(await page.title()).toBe('guest');
    await page.reload();
    expect(await page.title()).toBe('guest');
  }, TEST_DEADLINE_MS);
});

it('a guest page that fills the jar of cookies does not lock the app out', async () => {
  const page = await context.newPage();
  await page.goto(`${at('vessel.localhost')}/`);
  // What the app's own page does when it starts.
  await page.evaluate(`fetch('${RENEWAL_PATH}').then((answer) => answer.text()).then((key) => localStorage.setItem('${RENEWAL_STORAGE_NAME}', key))`);
  const guestPage = await context.newPage();
  await guestPage.goto(`${at(`${ID}.vessel.localhost`)}/`);
  // The browser takes them in later than the page is told.
  await expect.poll(async () => {
    await guestPage.evaluate(`for (let count = 0; count < 600; count += 1) document.cookie = 'c' + count + '=' + Date.now() + '; path=/; secure; priority=high'`);
    return (await context.cookies(`${at('vessel.localhost')}/`)).map(({ name }) => name);
  }, { timeout: 20_000 }).not.toContain('__Host-vessel-session');
  await page.reload();
  await expect.poll(() => page.title().catch(() => 'between two pages')).toBe('app');
  await page.goto(`${at('vessel.localhost')}/#/projects`);
  expect(await page.title()).toBe('app');
}, TEST_DEADLINE_MS);

it.each([false, true])('ports of one environment answer each other\'s pages as on localhost (same-site with the app: %s)', async (frame) => {
  const page = await context.newPage();
  const origin = await enter({ projectId: ID, frame, port: 5173 });
  await page.goto(`${origin}/`);
  const api = origin.replace('5173', '4000');
  expect(await attack(page, api)).toEqual({
    fetch: expect.stringContaining('secret'), 'opaque fetch': 'blocked', post: 'blocked', script: 'secret', socket: 'open', 'plain fetch': expect.stringContaining('secret'),
    preflight: expect.stringContaining('secret'), events: 'open', image: 'shown',
  });
  expect(guest.seen.filter(({ url, method }) => url === '/_vessel/port/4000/json' && method !== 'OPTIONS').map(({ headers }) => headers['x-own'])).toEqual(['1']);
  await page.evaluate(`document.body.innerHTML = '<a href="${api}/next">next</a>'`);
  await Promise.all([page.waitForNavigation(), page.click('a')]);
  expect(await page.title()).toBe('guest');
  await page.evaluate(`fetch('/own').then((answer) => { if (!answer.ok) throw new Error(String(answer.status)); })`);
}, TEST_DEADLINE_MS);

it('the environment\'s own page works: fetch, write, WebSocket', async () => {
  const page = await context.newPage();
  await page.goto(`${at(`${ID}.vessel.localhost`)}/`);
  guest.seen.length = 0;
  const got = await attack(page, at(`${ID}.vessel.localhost`));
  expect(got).toMatchObject({ fetch: expect.stringContaining('secret'), script: 'secret', socket: 'open' });
  expect(reached()).toEqual(['GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'POST', 'PUT', 'UPGRADE']);
}, TEST_DEADLINE_MS);
