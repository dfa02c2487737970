import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readServerRecord } from './server-record.ts';

/** A tab in a real browser over kill -9 of the server and a start by the real command line; guests are plain processes. */
const CLI = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
let folder = '';
let home = '';
let browser: Browser;
let page: Page;
const at = (id: string): ReturnType<Page['getByTestId']> => page.getByTestId(id);

async function vessel(...argv: readonly string[]): Promise<{ readonly out: string; readonly err: string }> {
  const child = spawn(process.execPath, [CLI, ...argv], {
    cwd: folder, stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, VESSEL_HOME: home, VESSEL_CACHE: join(folder, 'cache'), VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1', VESSEL_PREPARE: '0', NO_COLOR: '1' },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => { out += String(data); });
  child.stderr.on('data', (data: Buffer) => { err += String(data); });
  const [code] = await once(child, 'close') as [number | null];
  expect(code, `${argv.join(' ')}: ${err}`).toBe(0);
  return { out, err };
}

/** Kills the server as a crash would; returns the port that it had. */
async function crash(): Promise<number> {
  const record = await readServerRecord(home);
  if (record === null) throw new Error('no server runs');
  process.kill(record.pid, 'SIGKILL');
  await at('reconnecting').waitFor();
  return record.port;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vessel-crash-'));
  home = join(folder, 'home');
  await promisify(execFile)(process.execPath, ['build/build.mjs', 'window', 'host'], { cwd: fileURLToPath(new URL('../..', import.meta.url)) });
  await vessel('project', 'create', 'demo', '--template', 'node');
  await vessel('open', 'demo');
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
}, 120_000);
afterAll(async () => {
  await browser.close();
  await vessel('discard', 'demo', '--yes');
  await vessel('quit', '--force');
  rmSync(folder, { recursive: true, force: true });
});

describe('after kill -9 of the server', () => {
  it('a start from the command line takes the port again, and the open tab goes on by itself with its environment', async () => {
    page = await browser.newPage();
    await page.goto((await vessel('url')).out.trim());
    await page.locator('[data-project-card]').getByRole('button', { name: /^(Open|Resume) demo/ }).click();
    await page.frameLocator('[data-testid=ide-frame]').locator('.monaco-workbench').waitFor();
    await page.frameLocator('[data-testid=ide-frame]').getByLabel('Editor').fill('typed before');
    await vessel('exec', 'demo', '-T', '--', 'touch', 'made-before.txt');
    await page.evaluate('document.body.dataset.same = "page"');
    const port = await crash();
    expect(await at('reconnecting').textContent()).not.toContain('keep running');
    await page.getByText('If it has ended, start it with').waitFor();

    const { err } = await vessel('project', 'list');
    expect(err).toBe('');
    expect((await readServerRecord(home))?.port).toBe(port);
    await at('reconnecting').waitFor({ state: 'detached' });
    expect(await page.evaluate('document.body.dataset.same')).toBe('page');
    // The same environment, with what no revision holds yet, and the same frame.
    await vessel('exec', 'demo', '-T', '--', 'test', '-f', 'made-before.txt');
    expect(await page.frameLocator('[data-testid=ide-frame]').getByLabel('Editor').inputValue()).toBe('typed before');
  }, 120_000);

  it('a port that another program took meanwhile is told: by the command, in status, and in the tab', async () => {
    const port = await crash();
    const stranger = createServer((_request, response) => { response.writeHead(401, { 'content-type': 'text/plain' }).end('another program'); });
    await listen(stranger, port);
    try {
      const { err } = await vessel('project', 'list');
      const record = await readServerRecord(home);
      expect(record).toMatchObject({ movedFrom: port });
      expect(err).toContain(`Another program has port ${port}, where Vessel answered before. Vessel answers at ${record?.baseUrl ?? ''} now`);
      expect((await vessel('status')).out).toContain(`(port ${port}, used before, is taken)`);
      // The tab stays what it is: it is not loaded anew from the other program, whatever that answers.
      await page.getByText('Another program answers at this address. Run vessel url').waitFor();
      expect(await page.evaluate('document.body.dataset.same')).toBe('page');
      await page.goto((await vessel('url')).out.trim());
      await page.getByRole('heading', { name: 'demo', exact: true }).waitFor();
    } finally {
      stranger.close();
      stranger.closeAllConnections();
    }
  }, 60_000);
});

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}
