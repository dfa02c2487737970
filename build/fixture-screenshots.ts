/**
 * Draws every screen from made-up data and writes PNGs for people to look at:
 *   node build/fixture-screenshots.ts <folder> [pattern of name-theme-width]
 * The pages run under the same strict content security policy as the product; a violation fails the run.
 */
import { createServer } from 'node:http';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { chromium, type Page } from 'playwright-core';
import { build } from 'vite';

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'";
const SIZES = [{ width: 1280, height: 800 }, { width: 1920, height: 1080 }] as const;
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const IDE_STAND_IN = '<!doctype html><title>IDE</title><link rel="stylesheet" href="/ide.css"><div id="side"></div><div id="editor"><pre>import { createServer } from "node:http";\n\ncreateServer((request, response) => {\n  response.end("hello");\n}).listen(5173);</pre></div><div id="bar"></div>';
const IDE_CSS = 'body{margin:0;height:100vh;background:#1f1f1f;color:#ccc;font:14px monospace;display:grid;grid-template:1fr 22px/260px 1fr}#side{background:#181818;border-right:1px solid #2b2b2b}#editor{padding:24px}#bar{grid-column:1/3;background:#0078d4}';

type Shot = { readonly name: string; readonly hash: string; readonly scenario?: string; readonly act?: (page: Page) => Promise<void> };
const click = (id: string) => (page: Page): Promise<void> => page.getByTestId(id).first().click();
const SHOTS: readonly Shot[] = [
  { name: 'projects', hash: '#/' }, { name: 'projects-empty', hash: '#/', scenario: 'empty' }, { name: 'projects-offline', hash: '#/', scenario: 'offline' }, { name: 'projects-many', hash: '#/', scenario: 'many' },
  { name: 'menu', hash: '#/', act: click('project-menu') },
  { name: 'conflict', hash: '#/', act: click('sync-conflict') }, { name: 'take-over', hash: '#/', act: click('sync-lease') },
  { name: 'create', hash: '#/new', act: async (page) => { await page.getByTestId('project-name').fill('Shop API'); } },
  { name: 'import', hash: '#/import' }, { name: 'import-folder', hash: '#/import', act: click('tab-folder') }, { name: 'deleted', hash: '#/deleted' }, { name: 'delete', hash: '#/projects/dashboard-p8rt/delete' },
  { name: 'console-open', hash: '#/operations/op-opening' }, { name: 'console-failed', hash: '#/operations/op-failed' }, { name: 'console-proof', hash: '#/operations/op-closed', act: async (page) => { await page.getByTestId('proof-left-out').click(); } },
  { name: 'ide', hash: '#/projects/shop-api-k3f9' }, { name: 'ide-panel', hash: '#/projects/shop-api-k3f9', act: click('control-toggle') }, { name: 'ide-ended', hash: '#/projects/legacy-import-w9ce' },
  { name: 'discard', hash: '#/projects/shop-api-k3f9', act: async (page) => { await page.getByTestId('control-toggle').click(); await page.getByTestId('discard').click(); } },
  { name: 'host', hash: '#/hosts/local', act: async (page) => { await page.getByTestId('doctor').click(); await page.getByTestId('doctor-result').waitFor(); } },
  { name: 'host-plan', hash: '#/hosts/local', scenario: 'empty', act: click('plan') },
  { name: 'hosts', hash: '#/hosts', scenario: 'hosts' }, { name: 'hosts-none', hash: '#/hosts' }, { name: 'host-remote', hash: '#/hosts/build-box', scenario: 'hosts' }, { name: 'host-new', hash: '#/hosts/lab', scenario: 'hosts' },
  { name: 'projects-hosts', hash: '#/', scenario: 'hosts' }, { name: 'ide-away', hash: '#/projects/landing-page-x7qd', scenario: 'hosts' },
  { name: 'add-host', hash: '#/add-host', scenario: 'hosts' },
  ...['new', 'key', 'code', 'changed', 'closed'].map((who) => ({ name: `add-host-${who}`, hash: '#/add-host', scenario: 'hosts', act: async (page: Page) => { await page.getByTestId('host-target').fill(`${who}@build.example.org`); await page.getByTestId('add-host-connect').click(); await page.getByTestId('login-working').waitFor({ state: 'detached' }); } })),
  { name: 'remove-host', hash: '#/hosts/build-box', scenario: 'hosts', act: click('remove-host') },
  { name: 'history', hash: '#/projects/shop-api-k3f9/history' }, { name: 'history-prune', hash: '#/projects/dashboard-p8rt/history', act: async (page) => { await page.getByTestId('prune').click(); await page.getByTestId('prune-revisions').fill('3'); } },
  { name: 'project-settings', hash: '#/projects/shop-api-k3f9/settings' }, { name: 'settings', hash: '#/settings' }, { name: 'settings-account', hash: '#/settings', act: (page) => page.getByTestId('account').scrollIntoViewIfNeeded() },
  { name: 'encryption-phrase', hash: '#/settings', act: click('encryption-on') }, { name: 'encryption-locked', hash: '#/settings', scenario: 'locked', act: (page) => page.getByTestId('encryption').scrollIntoViewIfNeeded() },
  { name: 'activity', hash: '#/activity' }, { name: 'events', hash: '#/activity', act: click('tab-events') },
  { name: 'palette', hash: '#/', act: async (page) => { await page.keyboard.press('Control+k'); await page.keyboard.type('shop'); } },
  { name: 'shortcuts', hash: '#/', act: async (page) => { await page.keyboard.press('?'); } },
];

const [, , folder = await mkdtemp(join(tmpdir(), 'vessel-screens-')), part = ''] = process.argv;
const pattern = new RegExp(part);
await mkdir(folder, { recursive: true });
const out = await mkdtemp(join(tmpdir(), 'vessel-fixture-'));
await build({ configFile: false, logLevel: 'error', root: join(import.meta.dirname, '../renderer/testing'), base: '/', publicDir: join(import.meta.dirname, '../renderer/public'), plugins: [react(), tailwindcss()], build: { outDir: out, emptyOutDir: true } });

const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  const send = (type: string, body: string | Buffer): void => { response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY }).end(body); };
  if (path === '/ide-stand-in.html') { send('text/html', IDE_STAND_IN); return; }
  if (path === '/ide.css') { send('text/css', IDE_CSS); return; }
  readFile(join(out, path === '/' ? 'index.html' : path)).then((body) => send(TYPES[extname(path === '/' ? '.html' : path)] ?? 'text/html', body), () => response.writeHead(404).end());
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = server.address();
const port = typeof address === 'object' && address !== null ? address.port : 0;

const browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
let problems = 0;
try {
  for (const theme of ['light', 'dark'] as const) for (const size of SIZES) {
    const context = await browser.newContext({ viewport: size });
    for (const shot of SHOTS.filter((item) => pattern.test(`${item.name}-${theme}-${size.width}`))) {
      const page = await context.newPage();
      page.on('console', (message) => { if (message.type() === 'error') { problems += 1; console.error(`${shot.name}: ${message.text()}`); } });
      page.on('pageerror', (error) => { problems += 1; console.error(`${shot.name}: ${error.message}`); });
      await page.goto(`http://127.0.0.1:${port}/?theme=${theme}&scenario=${shot.scenario ?? 'full'}${shot.hash}`);
      await page.locator('#main').waitFor();
      await page.waitForTimeout(300);
      await shot.act?.(page);
      await page.waitForTimeout(350);
      await page.screenshot({ path: join(folder, `${shot.name}-${theme}-${size.width}.png`) });
      await page.close();
    }
    await context.close();
  }
} finally {
  await browser.close();
  server.close();
  await rm(out, { recursive: true, force: true });
}
console.log(`${folder}: ${problems} problems`);
process.exitCode = problems === 0 ? 0 : 1;
