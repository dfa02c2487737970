import { mkdtempSync, mkdirSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { environmentPartition } from '#shared/shell.ts';
import { startStubMain, type StubMain } from './stub-main.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BASE = 'http://vessel.localhost:8100';
/** Speaks the agreed first line; the rest of the server is tested elsewhere. */
const FAKE_SERVER = `
const fail = process.env.FAKE_SERVER === 'broken';
if (fail) { console.error('EADDRINUSE in the fake'); process.exit(3); }
const shared = process.env.FAKE_SERVER === 'shared';
console.log(JSON.stringify({ url: '${BASE}/__enter?ticket=one', baseUrl: '${BASE}', port: 8100, pid: process.pid, ...(shared ? { already: true } : {}), args: process.argv.slice(2), runAsNode: process.env.ELECTRON_RUN_AS_NODE }));
if (!shared) { setInterval(() => undefined, 1000); process.on('SIGTERM', () => process.exit(0)); require('node:fs').writeFileSync(process.env.VESSEL_HOME + '/server.pid', JSON.stringify({ pid: process.pid, args: process.argv.slice(2), runAsNode: process.env.ELECTRON_RUN_AS_NODE, key: require('node:fs').readFileSync(0, 'utf8'), visible: JSON.stringify([process.argv, process.env]) })); }
`;

let folder: string;
let main: string;
const started: { readonly stub: StubMain; readonly home: string }[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-shell-'));
  main = join(folder, 'out', 'main', 'index.mjs');
  mkdirSync(join(folder, 'out', 'server'), { recursive: true });
  writeFileSync(join(folder, 'out', 'server', 'main.mjs'), `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);\n${FAKE_SERVER}`);
  await build({
    entryPoints: [join(ROOT, 'electron', 'main', 'index.ts')], outfile: main, bundle: true, platform: 'node', format: 'esm', external: ['electron'], logLevel: 'silent',
    banner: { js: "import { createRequire as make } from 'node:module'; const require = make(import.meta.url);" },
  });
});
afterEach(async () => {
  for (const { stub, home } of started.splice(0)) {
    stub.kill();
    await stub.ended;
    // A server outlives a killed window on purpose; here nobody will come back for it.
    endServer(home);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function endServer(home: string): void {
  const file = join(home, 'server.pid');
  if (!existsSync(file)) return;
  try {
    process.kill((JSON.parse(readFileSync(file, 'utf8')) as { readonly pid: number }).pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // ended already
  }
}

function start(env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): { readonly stub: StubMain; readonly home: string } {
  const home = mkdtempSync(join(folder, 'home-'));
  const stub = startStubMain(main, { env: { ...process.env, VESSEL_HOME: home, ...env }, args });
  started.push({ stub, home });
  return { stub, home };
}
const shown = async (env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Promise<{ readonly stub: StubMain; readonly home: string }> => {
  const made = start(env, args);
  await made.stub.until(({ loads }) => loads.length > 0);
  return made;
};

it('a server that cannot start is told with its reason, and the program ends', async () => {
  const { stub } = start({ FAKE_SERVER: 'broken' });
  expect(await stub.ended).toBe(1);
  expect(stub.output()).toContain('EADDRINUSE in the fake');
});

it('a second instance leaves at once and shows nothing', async () => {
  const { stub } = start({ STUB_SECOND_INSTANCE: '1' });
  expect(await stub.ended).toBe(0);
});

it('the window is sandboxed, isolated, without Node, and loads the ticket address of the server it started', async () => {
  const ready = join(folder, `ready-${Date.now()}`);
  const { stub, home } = await shown({ VESSEL_READY_FILE: ready }, ['--port', '8100']);
  const record = await stub.until(() => existsSync(ready));
  expect(record.loads).toEqual([`${BASE}/__enter?ticket=one`]);
  expect(record.sandbox).toBe(true);
  expect(record.paths['userData']).toBe(join(home, 'electron'));
  expect(record.windows).toHaveLength(1);
  expect(record.windows[0]?.webPreferences).toMatchObject({ contextIsolation: true, sandbox: true, nodeIntegration: false, nodeIntegrationInSubFrames: false, webSecurity: true, webviewTag: true, partition: 'persist:vessel' });
  expect(record.windows[0]?.webPreferences['preload']).toBe(join(folder, 'out', 'preload', 'index.cjs'));
  expect(JSON.parse(readFileSync(join(home, 'server.pid'), 'utf8'))).toMatchObject({ args: ['--json', '--no-open', '--port', '8100', '--secret-key-stdin'], runAsNode: '1' });
});

const ServerSchema = z.object({ args: z.array(z.string()), key: z.string(), visible: z.string() });
const serverOf = async (home: string): Promise<z.output<typeof ServerSchema>> => {
  await expect.poll(() => existsSync(join(home, 'server.pid')), { timeout: 15_000 }).toBe(true);
  return ServerSchema.parse(JSON.parse(readFileSync(join(home, 'server.pid'), 'utf8')));
};
/** Starts once more with the same home, as the next day. */
const again = async (home: string, env: Readonly<Record<string, string>> = {}): Promise<z.output<typeof ServerSchema>> => {
  endServer(home);
  rmSync(join(home, 'server.pid'));
  const stub = startStubMain(main, { env: { ...process.env, VESSEL_HOME: home, ...env } });
  started.push({ stub, home });
  return serverOf(home);
};

it('the server gets a key for secrets through its input only; on disk it lies sealed by the keychain, and the next start finds the same', async () => {
  const { stub, home } = await shown();
  const first = await serverOf(home);
  expect(first.key).toMatch(/^[0-9a-f]{64}\n$/);
  expect(first.visible).not.toContain(first.key.trim());
  const path = join(home, 'electron', 'secret-key');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, 'utf8')).not.toContain(first.key.trim());
  expect(readFileSync(path, 'utf8')).toMatch(/^good:/);
  expect(stub.output()).not.toContain(first.key.trim());
  stub.kill();
  await stub.ended;
  expect((await again(home)).key).toBe(first.key);
});

it('a key that another keychain sealed is put aside, and a new one is made', async () => {
  const { stub, home } = await shown();
  const { key } = await serverOf(home);
  stub.kill();
  await stub.ended;
  const next = await again(home, { STUB_KEYCHAIN: 'other' });
  expect(next.key).toMatch(/^[0-9a-f]{64}\n$/);
  expect(next.key).not.toBe(key);
  expect(existsSync(join(home, 'electron', 'secret-key.unreadable'))).toBe(true);
});

it.each(['none', 'basic_text'])('without a keychain worth the name (%s) no key is made, and the log says so', async (keychain) => {
  const { stub, home } = await shown({ STUB_KEYCHAIN: keychain });
  expect(await serverOf(home)).toMatchObject({ key: '', args: ['--json', '--no-open'] });
  expect(existsSync(join(home, 'electron', 'secret-key'))).toBe(false);
  expect(stub.output()).toContain('no keychain');
});

it('messages of foreign pages, of frames and of nobody are refused; malformed ones too', async () => {
  const { stub } = await shown();
  expect(await stub.do('channels')).toEqual(['vessel:pick-file', 'vessel:pick-save-file', 'vessel:notify']);
  const invoke = (input: Readonly<Record<string, unknown>>): Promise<unknown> => stub.do('invoke', input);
  const notice = [{ title: 'Saved', body: 'revision 2' }];
  for (const sender of [{ frameUrl: 'https://example.org/' }, { frameUrl: 'http://demo.localhost:8100/' }, { frameUrl: 'http://vessel.localhost:8101/' }, { frameUrl: `${BASE}/`, inFrame: true }, { frameUrl: null }]) {
    await expect(invoke({ channel: 'vessel:notify', ...sender, args: notice }), JSON.stringify(sender)).rejects.toMatchObject({ code: 'FORBIDDEN_ORIGIN' });
  }
  const own = { frameUrl: `${BASE}/#/projects` };
  await expect(invoke({ channel: 'vessel:notify', ...own, args: [{ title: '' }] })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  await expect(invoke({ channel: 'vessel:pick-file', ...own, args: ['anything'] })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  await expect(invoke({ channel: 'vessel:pick-save-file', ...own, args: ['../../etc/passwd'] })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  expect((await stub.record()).notifications).toEqual([]);

  await invoke({ channel: 'vessel:notify', ...own, args: notice });
  expect((await stub.record()).notifications).toEqual(notice);
  await stub.do('answer', { value: { canceled: false, filePaths: ['/tmp/a.zip'] } });
  expect(await invoke({ channel: 'vessel:pick-file', ...own, args: ['zip'] })).toBe('/tmp/a.zip');
  expect(await invoke({ channel: 'vessel:pick-file', ...own, args: ['folder'] })).toBeNull();
});

it('only environments may be attached, navigation stays home, links go to the system', async () => {
  const { stub } = await shown();
  const good = { src: 'http://demo.localhost:8100/', partition: environmentPartition('demo') };
  const attach = (input: Readonly<Record<string, unknown>>): Promise<{ readonly prevented: boolean; readonly webPreferences: Readonly<Record<string, unknown>> }> => stub.do('attachWebview', input);
  expect((await attach({ params: { src: 'https://example.org/', partition: 'x' }, webPreferences: {} })).prevented).toBe(true);
  const admitted = await attach({ params: good, webPreferences: { preload: '/x.js', nodeIntegration: true } });
  expect(admitted.prevented).toBe(false);
  expect(admitted.webPreferences).toMatchObject({ nodeIntegration: false, sandbox: true, partition: good.partition });
  expect(admitted.webPreferences).not.toHaveProperty('preload');
  expect((await attach({ params: good, webPreferences: {}, from: 'webview' })).prevented).toBe(true);

  const prevented = (input: Readonly<Record<string, unknown>>): Promise<boolean> => stub.do('navigate', input);
  expect(await prevented({ url: 'https://example.org/' })).toBe(true);
  expect(await prevented({ url: `${BASE}/#/settings` })).toBe(false);
  expect(await prevented({ url: 'http://demo.localhost:8100/', redirect: true })).toBe(true);
  expect(await prevented({ type: 'webview', current: good.src, url: 'http://5173--demo.localhost:8100/' })).toBe(false);
  expect(await prevented({ type: 'webview', current: good.src, url: 'http://other.localhost:8100/' })).toBe(true);
  expect(await prevented({ type: 'webview', current: good.src, url: 'file:///etc/passwd' })).toBe(true);
  expect(await stub.do('windowOpen', { url: 'https://docs.example.org/' })).toEqual({ action: 'deny' });
  expect(await stub.do('windowOpen', { url: 'file:///etc/passwd' })).toEqual({ action: 'deny' });
  const { external } = await stub.record();
  expect(external).toContain('https://docs.example.org/');
  expect(external.every((url) => /^https?:/.test(url))).toBe(true);
  expect(await stub.do('permission', { permission: 'media', url: `${BASE}/` })).toEqual({ granted: false, checked: false, device: false });
});

it('closing the window with nothing running ends the program and its server, and remembers the place', async () => {
  const { stub, home } = await shown();
  const { pid } = JSON.parse(readFileSync(join(home, 'server.pid'), 'utf8')) as { readonly pid: number };
  await stub.do('close').catch(() => undefined); // the program may be gone before it answers
  expect(await stub.ended).toBe(0);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  expect(JSON.parse(readFileSync(join(home, 'electron', 'window.json'), 'utf8'))).toEqual({ x: 10, y: 20, width: 1000, height: 700, maximized: false });
});

it('a server that ran before the window is used and left alone', async () => {
  const { stub, home } = await shown({ FAKE_SERVER: 'shared' });
  expect(existsSync(join(home, 'server.pid'))).toBe(false);
  await stub.do('quit').catch(() => undefined); // as above
  expect(await stub.ended).toBe(0);
});

it('a server that dies is reported and started again on request', async () => {
  const { stub, home } = await shown();
  const { pid } = JSON.parse(readFileSync(join(home, 'server.pid'), 'utf8')) as { readonly pid: number };
  process.kill(pid, 'SIGKILL');
  const record = await stub.until(({ loads }) => loads.length > 1);
  expect(record.dialogs[0]?.message).toBe('The Vessel server ended unexpectedly');
  expect(record.loads).toHaveLength(2);
});

it('a page that crashes is shown again without a new ticket', async () => {
  const { stub } = await shown();
  await stub.do('gone', { reason: 'crashed' });
  const { loads } = await stub.until((record) => record.loads.length > 1);
  expect(loads[1]).toBe(BASE);
});

it('starts without a tray where the system has none', async () => {
  const { stub } = await shown({ STUB_NO_TRAY: '1' });
  expect((await stub.record()).tray).toEqual([]);
});
