import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { chromium, type Browser } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGateway } from '../../electron/core/adapters/gateway/create-gateway.ts';
import type { Gateway } from '../../electron/core/ports/gateway.ts';
import { bundleGuestAgent } from '../../images/guest-agent/bundle.ts';

/** The real guest agent (as a process) behind the real gateway, a real Vite dev server behind it, and a real Chromium in front. */
const CHROMIUM = process.env['VESSEL_CHROMIUM'] ?? '/usr/bin/chromium';
const ID = 'shop-api-k3f9';
const TOKEN = 'token-of-the-ports-test-0123456789abcdef';
const DEADLINE_MS = 60_000;
let folder: string;
let agent: ChildProcess;
let agentPort: number;
let vite: ViteDevServer;
let vitePort: number;
let gateway: Gateway;
let browser: Browser;

const dial = (): Promise<Duplex> => new Promise((resolve, reject) => {
  const socket = connect({ host: '127.0.0.1', port: agentPort, noDelay: true });
  socket.once('connect', () => resolve(socket));
  socket.once('error', reject);
});

async function startAgent(): Promise<void> {
  const program = join(folder, 'agent.mjs');
  await bundleGuestAgent(program);
  await writeFile(join(folder, 'token'), TOKEN, { mode: 0o600 });
  await writeFile(join(folder, 'agent.json'), JSON.stringify({
    listen: { host: '127.0.0.1', port: 0 }, workspace: join(folder, 'workspace'), user: null, tokenFile: join(folder, 'token'), nodePty: null,
    ide: { name: 'code-server', version: '0', commit: null, argv: ['/bin/sleep', '600'], env: {}, port: 1, healthPath: '/healthz', warmPaths: [] },
  }));
  agent = spawn(process.execPath, [program, join(folder, 'agent.json')], { stdio: ['ignore', 'pipe', 'ignore'] });
  agentPort = await new Promise((resolve, reject) => {
    agent.stdout?.on('data', (data: Buffer) => {
      const port = /listening (\d+)/.exec(String(data))?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    agent.once('exit', () => reject(new Error('the agent ended')));
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vessel-ports-'));
  const site = join(folder, 'site');
  await mkdir(join(folder, 'workspace'), { recursive: true });
  await mkdir(site);
  await writeFile(join(site, 'index.html'), '<!doctype html><title>site</title><p id="text"></p><script type="module" src="/main.js"></script>');
  await writeFile(join(site, 'main.js'), 'import { text } from "./text.js"; const show = (value) => { document.querySelector("#text").textContent = value; }; show(text); import.meta.hot?.accept("./text.js", (fresh) => show(fresh.text));');
  await writeFile(join(site, 'text.js'), 'export const text = "first";');
  await startAgent();
  vite = await createServer({ root: site, configFile: false, logLevel: 'silent', cacheDir: join(folder, 'vite'), server: { host: '127.0.0.1', port: 0, strictPort: false } });
  await vite.listen();
  const address = vite.httpServer?.address();
  vitePort = typeof address === 'object' && address !== null ? address.port : 0;
  const route = { kind: 'running', token: TOKEN, dial, ide: { name: 'code-server', version: '0', commit: null }, ideStaticDir: null } as const;
  gateway = await createGateway({ routes: { resolve: () => route, noteWaiting: () => undefined, noteActivity: () => undefined }, home: join(folder, 'home'), cache: join(folder, 'cache'), port: 0, log: () => undefined });
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--headless=new'] });
}, DEADLINE_MS);

afterAll(async () => {
  await browser.close();
  await gateway.close();
  await vite.close();
  agent.kill('SIGTERM');
  await rm(folder, { recursive: true, force: true });
}, DEADLINE_MS);

it.each([[false, '.localhost'], [true, '.vessel.localhost']])('a dev server with hot reload works at its own address (same-site with the app: %s)', async (frame, suffix) => {
  await writeFile(join(folder, 'site', 'text.js'), 'export const text = "first";');
  const page = await browser.newPage();
  const { url, origin } = gateway.urlFor({ projectId: ID, port: vitePort, frame });
  expect(origin).toBe(`http://${vitePort}--${ID}${suffix}:${gateway.port}`);
  // A change before Vite's own WebSocket is open is told to nobody: the page would wait for it for ever.
  const connected = page.waitForEvent('console', (message) => message.text().includes('[vite] connected'));
  await page.goto(url);
  await page.locator('#text', { hasText: 'first' }).waitFor();
  await connected;
  let loads = 0;
  page.on('load', () => { loads += 1; });
  await writeFile(join(folder, 'site', 'text.js'), 'export const text = "second";');
  await page.locator('#text', { hasText: 'second' }).waitFor();
  expect(loads).toBe(0);
  await page.close();
}, DEADLINE_MS);

it('a port on which nothing listens shows a page that waits, and then the server', async () => {
  const { createServer: createHttp } = await import('node:http');
  const late = createHttp((_request, response) => response.setHeader('content-type', 'text/html').end('<title>late</title>'));
  const port: number = await new Promise((resolve) => {
    late.listen(0, '127.0.0.1', () => {
      const address = late.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  await new Promise((resolve) => { late.close(resolve); });
  const page = await browser.newPage();
  await page.goto(gateway.urlFor({ projectId: ID, port, frame: false }).url);
  expect(await page.textContent('h1')).toContain(`Nothing listens on port ${port}`);
  late.listen(port, '127.0.0.1');
  await expect.poll(() => page.title().catch(() => 'between two pages'), { timeout: 15_000 }).toBe('late');
  await page.close();
  late.closeAllConnections();
  await new Promise((resolve) => { late.close(resolve); });
}, DEADLINE_MS);
