import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { enterHost, send, startTestGateway, startTestGuest, type Answer, type TestGateway, type TestGuest } from '../test-gateway.ts';

const ID = 'shop-api-k3f9';
const COMMIT = 'c0ffee';
const PREFIX = `/stable-${COMMIT}/static/`;
const IDE = { name: 'code-server', version: '4.0.0', commit: COMMIT };
const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
let guest: TestGuest;
let door: TestGateway;
let directory: string;
let cookie: string;

async function writeImage(files: Readonly<Record<string, string>>, absent: Readonly<Record<string, string>> = {}): Promise<void> {
  for (const [key, text] of Object.entries(files)) {
    await mkdir(join(directory, key, '..'), { recursive: true });
    await writeFile(join(directory, key), text);
  }
  const listed = Object.entries({ ...files, ...absent }).map(([key, text]) => [key, { sha256: sha(text), bytes: Buffer.byteLength(text) }]);
  await writeFile(join(directory, 'manifest.json'), JSON.stringify({
    format: 1, ide: 'code-server', version: '4.0.0', commit: COMMIT, prefixes: [{ urlPrefix: PREFIX, dir: '0/' }, { urlPrefix: '/_static/', dir: '1/' }],
    remoteResource: { urlPath: `/stable-${COMMIT}/vscode-remote-resource`, guestRoot: '/usr/lib/code-server/', dir: '0/' }, absent: ['0/node_modules/none.js'], files: Object.fromEntries(listed),
  }));
}
const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> => send(door.gateway.port, `${ID}.localhost:${door.gateway.port}`, path, { headers: { cookie, ...headers } });

beforeEach(async () => {
  guest = await startTestGuest();
  door = await startTestGateway();
  directory = await mkdtemp(join(tmpdir(), 'vessel-ide-'));
  door.routes.set(ID, guest.route({ ide: IDE, ideStaticDir: directory }));
  cookie = await enterHost(door.gateway.urlFor({ projectId: ID, frame: false }).url);
});
afterEach(async () => {
  await door.close();
  await guest.close();
  await rm(directory, { recursive: true, force: true });
});

it('answers for listed files without the guest, for ever where the address names the commit', async () => {
  await writeImage({ '0/out/a b.js': 'let a', '1/x.css': 'b{}', '0/media/i.svg': '<svg/>' });
  const script = await get(`${PREFIX}out/a%20b.js?x=1`);
  expect(script).toMatchObject({ status: 200, body: 'let a' });
  expect(script.headers).toMatchObject({ 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'public, max-age=31536000, immutable', etag: `"${sha('let a')}"`, 'content-length': '5' });
  expect((await get('/_static/x.css')).headers['cache-control']).toBe('no-cache');
  expect((await get(`/stable-${COMMIT}/vscode-remote-resource?path=${encodeURIComponent('/usr/lib/code-server/media/i.svg')}`)).body).toBe('<svg/>');
  expect((await get(`${PREFIX}out/a%20b.js`, { 'if-none-match': `"${sha('let a')}"` })).status).toBe(304);
  expect(guest.seen).toEqual([]);
});

it('asks for the session like everything else of that host', async () => {
  await writeImage({ '0/a.js': 'a' });
  expect((await send(door.gateway.port, `${ID}.localhost:${door.gateway.port}`, `${PREFIX}a.js`)).status).toBe(401);
});

it('answers that nobody has a file, where the image says so, without the guest', async () => {
  await writeImage({ '0/a.js': 'a' });
  expect((await get(`${PREFIX}node_modules/none.js?x`)).status).toBe(404);
  expect((await get('/_static/node_modules/none.js')).status).toBe(200);
  expect(guest.seen.map(({ url }) => url)).toEqual(['/_static/node_modules/none.js']);
});

it('leaves what is not listed to the guest', async () => {
  await writeImage({ '0/a.js': 'a' });
  await writeFile(join(directory, '0', 'secret.js'), 'not listed');
  for (const path of [`${PREFIX}secret.js`, `${PREFIX}b.js`, `${PREFIX}%2e%2e%2fmanifest.json`, `${PREFIX}__proto__`, `/stable-${COMMIT}/vscode-remote-resource?path=/etc/passwd`, '/']) {
    const answer = await get(path);
    expect([answer.body.startsWith('guest '), answer.status]).toContain(answer.status === 400 ? 400 : true);
    expect(answer.body).not.toContain('not listed');
  }
});

it('does not use a file on disk that differs from its manifest', async () => {
  await writeImage({ '0/a.js': 'good' });
  await writeFile(join(directory, '0', 'a.js'), 'evil');
  expect((await get(`${PREFIX}a.js`)).body).toBe(`guest ${PREFIX}a.js`);
  expect(door.logs.join()).toContain('does not have the content');
});

it('does not answer for another version of the IDE', async () => {
  await writeImage({ '0/a.js': 'a' });
  door.routes.set(ID, guest.route({ ide: { ...IDE, version: '4.0.1' }, ideStaticDir: directory }));
  expect((await get(`${PREFIX}a.js`)).body).toBe(`guest ${PREFIX}a.js`);
  door.routes.set(ID, guest.route({ ide: { ...IDE, commit: 'other' }, ideStaticDir: directory }));
  expect((await get('/_static/a.js')).body).toBe('guest /_static/a.js');
});

it('keeps a listed file that only the guest has, once its hash is right', async () => {
  await writeImage({}, { '0/a.js': 'from the guest' });
  guest.handler = (_request, response) => response.end('from the guest');
  expect((await get(`${PREFIX}a.js`)).headers['cache-control']).toContain('immutable');
  expect((await get(`${PREFIX}a.js`)).body).toBe('from the guest');
  expect(guest.seen).toHaveLength(1);
  expect(guest.seen[0]?.headers.cookie).toBeUndefined();
  expect(await readdir(join(door.home, 'cache', 'ide', `code-server-4.0.0-${COMMIT}`))).toEqual([sha('from the guest')]);
});

it('never lets a hostile guest put a file in front of another environment', async () => {
  await writeImage({}, { '0/a.js': 'true content' });
  guest.handler = (_request, response) => response.setHeader('cache-control', 'public').end('evil content');
  expect((await get(`${PREFIX}a.js`)).body).toBe('evil content'); // its own pages are its own affair
  const honest = await startTestGuest();
  honest.handler = (_request, response) => response.end('true content');
  door.routes.set('other-k3f9', honest.route({ ide: IDE, ideStaticDir: directory }));
  const other = await enterHost(door.gateway.urlFor({ projectId: 'other-k3f9', frame: false }).url);
  const answer = await send(door.gateway.port, `other-k3f9.localhost:${door.gateway.port}`, `${PREFIX}a.js`, { headers: { cookie: other } });
  expect(answer.body).toBe('true content');
  await honest.close();
});

it('keeps nothing without a manifest', async () => {
  expect((await get(`${PREFIX}a.js`)).body).toBe(`guest ${PREFIX}a.js`);
  expect((await get(`${PREFIX}a.js`)).body).toBe(`guest ${PREFIX}a.js`);
  expect(guest.seen).toHaveLength(2);
});

it('shares the files of the workbench on one origin: without a session, for every environment alike, but not with other sites', async () => {
  await writeImage({ '0/out/workbench.js': 'workbench', '0/out/layout.js': 'layout' });
  const html = `<meta id="vscode-workbench-web-configuration"><script type="module" src="stable-${COMMIT}/static/out/workbench.js"></script>`;
  guest.handler = (_request, response) => response.setHeader('content-type', 'text/html').setHeader('content-security-policy', "script-src 'self'").end(html);
  const host = `${ID}.vessel.localhost:${door.gateway.port}`;
  const frameCookie = await enterHost(door.gateway.urlFor({ projectId: ID, frame: true }).url);
  const page = await send(door.gateway.port, host, '/', { headers: { cookie: frameCookie, accept: 'text/html' } });
  const address = new URL(/src="([^"]+)"/.exec(page.body)?.[1] ?? '');
  expect(address.host).toBe(`ide.vessel.localhost:${door.gateway.port}`);
  expect(page.headers['content-security-policy']).toContain(`script-src 'self' http://${address.host}`);
  expect(guest.seen[0]?.headers['accept-encoding']).toBe('identity');
  const ask = (path: string, headers: Record<string, string> = {}): Promise<Answer> => send(door.gateway.port, address.host, path, { headers });
  const script = await ask(address.pathname);
  expect(script).toMatchObject({ status: 200, body: 'workbench' });
  expect(script.headers).toMatchObject({ 'access-control-allow-origin': '*', 'cache-control': 'public, max-age=31536000, immutable' });
  expect(script.headers.vary).toBeUndefined();
  expect((await ask(`${PREFIX}out/layout.js`)).headers['cache-control']).toBe('no-cache');
  expect((await ask(address.pathname, { 'sec-fetch-site': 'cross-site' })).status).toBe(404);
  expect((await ask('/')).status).toBe(404);
  expect((await ask('/__vessel/enter?ticket=x')).status).toBe(404);
});
