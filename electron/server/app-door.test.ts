import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Handlers } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Core } from '../core/create-core.ts';
import { createAppDoor } from './app-door.ts';

let server: Server;
let directory: string;
let origin: string;
let isAllowed: boolean;
let aborted: string[];
let door: ReturnType<typeof createAppDoor>;

/** Only what these tests ask; any other call is a defect of the test. */
const handlers = {
  calls: {
    'app.info': () => Promise.resolve({ version: '1' }),
    'projects.get': () => Promise.reject(new VesselError('NOT_FOUND', 'no such project')),
    'hosts.doctor': (_input: unknown, { signal }: { signal: AbortSignal }) => new Promise((_, reject) => signal.addEventListener('abort', () => { aborted.push('doctor'); reject(new VesselError('CANCELLED')); })),
  },
  streams: {
    'operations.watch': async function* watch(_input: unknown, { signal }: { signal: AbortSignal }) {
      let seq = 0;
      signal.addEventListener('abort', () => aborted.push(`watch after ${seq > 5000 ? 'many' : 'few'}`));
      while (!signal.aborted) {
        seq += 1;
        yield { kind: 'log', line: { seq, at: 0, stepId: null, level: 'info', text: 'x'.repeat(10_000) } };
      }
    },
  },
} as unknown as Handlers;

const core: Core = {
  handlers,
  gateway: {
    port: 8080, movedFrom: null, baseUrl: '', bearer: '', mount: () => undefined, close: () => Promise.resolve(), urlFor: () => ({ url: '', origin: '', opened: false }), aheadFor: () => Promise.resolve(null), appUrl: () => 'http://vessel.localhost/__vessel/enter?ticket=t',
    authenticate: (_request: IncomingMessage) => { if (!isAllowed) throw new VesselError('UNAUTHENTICATED'); },
  },
  importZip: async (content, { name, hostId, signal }) => {
    signal.addEventListener('abort', () => aborted.push('import'));
    return { projectId: `${name}-1234`, operationId: `${hostId}: ${await text(content)}` };
  },
  openRevision: (_projectId, rev) => rev === 7 ? Promise.reject(new VesselError('NOT_FOUND', 'no such revision'))
    : Promise.resolve({ content: Readable.from([Buffer.from('zip'), Buffer.from(String(rev))]), bytes: 3 + String(rev).length, fileName: 'Über "x".zip', sha256: 'ab' }),
  openRevisionFile: (_projectId, rev, path) => Promise.resolve({ content: Readable.from([Buffer.from(`${path} of ${rev ?? 'latest'}`)]), bytes: `${path} of ${rev ?? 'latest'}`.length, fileName: 'page.html' }),
  dispose: () => Promise.resolve(),
};

beforeEach(async () => {
  isAllowed = true;
  aborted = [];
  directory = await mkdtemp(join(tmpdir(), 'vessel-door-'));
  await mkdir(join(directory, 'assets'));
  await writeFile(join(directory, 'index.html'), '<!doctype html>app');
  await writeFile(join(directory, 'assets', 'index-abc.js'), 'export {}');
  await writeFile(join(directory, '..', 'vessel-outside.txt'), 'outside');
  door = createAppDoor({ core, rendererDirectory: directory, log: () => undefined });
  server = createServer((request, response) => door.request(request, response));
  server.on('upgrade', (request, socket, head) => door.upgrade(request, socket, head));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  door.close();
  server.closeAllConnections();
  await new Promise((resolve) => { server.close(resolve); });
  await rm(directory, { recursive: true, force: true });
  await rm(join(directory, '..', 'vessel-outside.txt'), { force: true });
});

it.each(['/', '/projects/x', '/#/open/a'])('serves the app at %s with a strict policy', async (path) => {
  const answer = await fetch(`${origin}${path}`);
  expect(await answer.text()).toBe('<!doctype html>app');
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("script-src 'self';");
  expect(policy).toContain('frame-src http://*.vessel.localhost:8080');
  expect(policy).toContain("frame-ancestors 'none'");
  expect(answer.headers.get('cache-control')).toBe('no-cache');
  expect((await fetch(`${origin}${path}`, { headers: { 'if-none-match': answer.headers.get('etag') ?? '' } })).status).toBe(304);
});

it('lets styles be inline in the editor\'s frame only, which reaches nothing and is framed by the app alone', async () => {
  await writeFile(join(directory, 'editor.html'), '<!doctype html>editor');
  const policy = (await fetch(`${origin}/editor.html`)).headers.get('content-security-policy') ?? '';
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "frame-ancestors 'self'"]) expect(policy).toContain(part);
  expect(policy).not.toContain('connect-src');
  expect((await fetch(`${origin}/`)).headers.get('content-security-policy')).not.toContain('unsafe-inline');
});

it('serves named assets for a year and nothing outside its folder', async () => {
  const asset = await fetch(`${origin}/assets/index-abc.js`);
  expect(asset.headers.get('cache-control')).toContain('immutable');
  expect(asset.headers.get('content-type')).toContain('text/javascript');
  for (const path of ['/assets/none.js', '/..%2fvessel-outside.txt', '/%2e%2e/vessel-outside.txt', '/assets/..%2f..%2fvessel-outside.txt', '/%00.js', '/%zz.js']) {
    const answer = await fetch(`${origin}${path}`);
    expect(answer.status).toBe(404);
    await answer.arrayBuffer();
  }
});

it('answers health to anybody and everything else only to a session', async () => {
  isAllowed = false;
  expect(await (await fetch(`${origin}/api/health`)).json()).toEqual({ ok: true });
  for (const [method, path] of [['GET', '/api/session'], ['POST', '/api/call/app.info'], ['POST', '/api/import?name=x'], ['GET', '/api/projects/a-1234/revisions/1.zip'], ['GET', '/api/none']] as const) {
    expect((await fetch(`${origin}${path}`, { method })).status).toBe(401);
  }
});

it('answers calls as JSON, errors with their status', async () => {
  const post = (name: string, body: string, type = 'application/json') => fetch(`${origin}/api/call/${name}`, { method: 'POST', body, headers: { 'content-type': type } });
  expect(await (await post('app.info', '')).json()).toEqual({ value: { version: '1' } });
  const missing = await post('projects.get', '{"projectId":"a-1234"}');
  expect(missing.status).toBe(404);
  expect(await missing.json()).toMatchObject({ error: { code: 'NOT_FOUND', message: 'no such project' } });
  expect((await post('projects.get', '{"projectId":"../etc"}')).status).toBe(400);
  expect((await post('no.such', '{}')).status).toBe(400);
  expect((await post('app.info', '{')).status).toBe(400);
  expect((await post('app.info', '{}', 'text/plain')).status).toBe(400);
  expect((await fetch(`${origin}/api/call/app.info`)).status).toBe(404);
});

it('cancels a call whose caller has left', async () => {
  const controller = new AbortController();
  const call = fetch(`${origin}/api/call/hosts.doctor`, { method: 'POST', body: '{"hostId":"local"}', headers: { 'content-type': 'application/json' }, signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await expect(call).rejects.toThrow();
  await expect.poll(() => aborted).toContain('doctor');
});

it('streams an import in and a revision out', async () => {
  const imported = await fetch(`${origin}/api/import?name=Shop`, { method: 'POST', body: 'zip-bytes' });
  expect(imported.status).toBe(202);
  expect(await imported.json()).toEqual({ projectId: 'Shop-1234', operationId: 'local: zip-bytes' });
  expect(await (await fetch(`${origin}/api/import?name=Shop&host=build-box`, { method: 'POST', body: 'zip' })).json()).toEqual({ projectId: 'Shop-1234', operationId: 'build-box: zip' });
  expect((await fetch(`${origin}/api/import?name=%20`, { method: 'POST', body: 'x' })).status).toBe(400);
  const latest = await fetch(`${origin}/api/projects/a-1234/revisions/latest.zip`);
  expect(await latest.text()).toBe('zipnull');
  expect(latest.headers.get('content-disposition')).toBe(`attachment; filename="_ber _x_.zip"; filename*=UTF-8''%C3%9Cber%20%22x%22.zip`);
  expect(await (await fetch(`${origin}/api/projects/a-1234/revisions/12.zip`)).text()).toBe('zip12');
  for (const path of ['a-1234/revisions/7', 'a-1234/revisions/0', 'a-1234/revisions/-1', '..%2f/revisions/1', 'A!/revisions/1']) expect((await fetch(`${origin}/api/projects/${path}.zip`)).status).toBe(404);
});

it('gives one file of a revision as a download, so that a page from a project never runs on our origin', async () => {
  const answer = await fetch(`${origin}/api/projects/a-1234/revisions/3/files/a%20b/page.html`);
  expect(await answer.text()).toBe('a b/page.html of 3');
  expect(answer.headers.get('content-type')).toBe('application/octet-stream');
  expect(answer.headers.get('content-disposition')).toContain('attachment');
  expect(answer.headers.get('content-security-policy')).toContain('sandbox');
  expect((await fetch(`${origin}/api/projects/a-1234/revisions/3/files/%zz`)).status).toBe(400);
});

it('speaks the wire on its socket, and a closed socket ends all that it asked for', async () => {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/api/socket`);
  await new Promise((resolve) => { socket.once('open', resolve); });
  const first = new Promise((resolve) => { socket.once('message', (data) => resolve(JSON.parse(String(data)))); });
  socket.send(JSON.stringify({ t: 'call', id: 1, name: 'app.info', input: {} }));
  expect(await first).toEqual({ t: 'result', id: 1, value: { version: '1' } });
  socket.send(JSON.stringify({ t: 'call', id: 2, name: 'hosts.doctor', input: { hostId: 'local' } }));
  await new Promise((resolve) => { setTimeout(resolve, 30); });
  socket.terminate();
  await expect.poll(() => aborted).toContain('doctor');
});

it('holds a stream back while its reader does not read', async () => {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/api/socket`);
  await new Promise((resolve) => { socket.once('open', resolve); });
  socket.send(JSON.stringify({ t: 'stream', id: 1, name: 'operations.watch', input: { operationId: 'x' } }));
  socket.pause();
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  socket.terminate();
  await expect.poll(() => aborted).toContain('watch after few');
});

it('upgrades nowhere else', async () => {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/other`);
  const error = await new Promise<Error>((resolve) => { socket.once('error', resolve); });
  expect(error.message).toContain('404');
});
