import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../ports/gateway.ts';
import { enterHost, send, startTestGateway, startTestGuest, upgrade, type TestGateway, type TestGuest } from './test-gateway.ts';

const PLACEHOLDER = 'environment.vessel.invalid:80';
const PAGE = (host: string): string => `<meta id="vscode-workbench-web-configuration" data-settings="{&quot;remoteAuthority&quot;:&quot;${host}&quot;}"><script type="module" src="/stable-c/static/out/workbench.js"><script nonce="recorded">`;
const MANIFEST = { format: 1, ide: 'code-server', version: '4.0.0', commit: 'c', prefixes: [{ urlPrefix: '/stable-c/static/', dir: '0/' }], files: { '0/out/workbench.js': { sha256: 'a'.repeat(64), bytes: 1 } } };
let image: string;
let starting: Route;
let door: TestGateway;
let guest: TestGuest;

beforeEach(async () => {
  image = await mkdtemp(join(tmpdir(), 'vessel-image-'));
  await writeFile(join(image, 'manifest.json'), JSON.stringify(MANIFEST));
  await writeFile(join(image, 'workbench-page.json'), JSON.stringify({ format: 1, url: '/?folder=/w', host: PLACEHOLDER, html: PAGE(PLACEHOLDER), policy: `script-src 'self' 'nonce-recorded'; connect-src ws://${PLACEHOLDER}` }));
  starting = { kind: 'starting', operationId: null, ideStaticDir: image };
  guest = await startTestGuest();
  door = await startTestGateway();
});
afterEach(async () => {
  await door.close();
  await guest.close();
  await rm(image, { recursive: true, force: true });
});

const hostOf = (id: string): string => `${id}.vessel.localhost:${door.gateway.port}`;
async function visit(id: string): Promise<(path: string, headers?: Readonly<Record<string, string>>) => ReturnType<typeof send>> {
  const cookie = await enterHost(door.gateway.urlFor({ projectId: id, frame: true }).url);
  return (path, headers = {}) => send(door.gateway.port, hostOf(id), path, { headers: { cookie, accept: 'text/html', ...headers } });
}

describe('an environment that starts', () => {
  it('has the page that was recorded with its image, under its own name, with its big files from the shared origin', async () => {
    door.routes.set('two', starting);
    const two = await visit('two');
    expect(await two('/')).toMatchObject({ status: 302, headers: { location: '/?folder=/w' } });
    const page = await two('/?folder=/w');
    const shared = `http://ide.vessel.localhost:${door.gateway.port}`;
    expect(page.body).toContain(`&quot;remoteAuthority&quot;:&quot;${hostOf('two')}&quot;`);
    expect(page.body).toMatch(new RegExp(`<script crossorigin type="module" src="${shared}/[0-9a-f]{16}/0/out/workbench.js\\?gate">`));
    const nonce = /<script nonce="([\w-]{22})">/.exec(page.body)?.[1] ?? 'none';
    expect((await two('/?folder=/w')).body).not.toContain(nonce);
    expect(page.headers['content-security-policy']).toBe(`script-src 'self' 'nonce-${nonce}' ${shared}; connect-src ws://${hostOf('two')}, frame-ancestors 'self' http://vessel.localhost:${door.gateway.port}`);
    expect(guest.seen).toEqual([]);
  });

  it('of an image without a recorded page waits for its guest’s', async () => {
    await rm(join(image, 'workbench-page.json'));
    door.routes.set('two', starting);
    const page = (await visit('two'))('/', { 'sec-fetch-dest': 'iframe' });
    await delay(30);
    door.routes.set('two', guest.route());
    expect((await page).body).toBe('guest /');
  });

  it('keeps what only its guest can answer waiting until it runs', async () => {
    door.routes.set('two', starting);
    const two = await visit('two');
    const answer = two('/file', { 'accept': '*/*' });
    const socket = enterHost(door.gateway.urlFor({ projectId: 'two', frame: true }).url).then((cookie) => upgrade(door.gateway.port, hostOf('two'), '/socket', { cookie, origin: `http://${hostOf('two')}` }));
    await delay(60);
    expect(guest.seen).toEqual([]);
    door.routes.set('two', guest.route());
    expect((await answer).body).toBe('guest /file');
    expect((await socket).status).toBe(101);
  });

  it('says that it failed when it did', async () => {
    door.routes.set('two', starting);
    const answer = (await visit('two'))('/other', { 'sec-fetch-dest': 'iframe' });
    await delay(30);
    door.routes.set('two', { kind: 'not-running', name: 'Two', ideStaticDir: null });
    expect(await answer).toMatchObject({ status: 503, body: expect.stringContaining('Two is not running') as string });
  });

  it('gives nothing to a browser that has not entered', async () => {
    door.routes.set('two', starting);
    expect((await send(door.gateway.port, hostOf('two'), '/?folder=/w', { headers: { accept: 'text/html' } })).status).toBe(401);
  });
});
