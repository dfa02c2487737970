import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serverFilePath } from '#shared/paths.ts';
import { ServerFileSchema } from '#shared/server-file.ts';
import { startStubMain, type StubMain } from './stub-main.ts';

const OUT = fileURLToPath(new URL('../../out/', import.meta.url));
const CHROMIUM = process.env['VESSEL_CHROMIUM'] ?? '/usr/bin/chromium';

/** The built preload inside a real page, with the two things it takes from Electron. */
const preloadScript = (): string => `(() => {
  const process = { platform: 'linux' };
  const require = () => ({ contextBridge: { exposeInMainWorld: (name, value) => { window[name] = value; } }, ipcRenderer: { invoke: (channel, ...args) => window.stubInvoke(channel, args) } });
  ${readFileSync(join(OUT, 'preload', 'index.cjs'), 'utf8')}
})();`;

describe('the built desktop shell, with a stub of electron, the real server and a real Chromium', () => {
  let home: string;
  let stub: StubMain;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  /** A call as scripts make it. */
  const call = (name: string, input: unknown): Promise<{ readonly value: Record<string, unknown> }> => {
    const server = ServerFileSchema.parse(JSON.parse(readFileSync(serverFilePath(home), 'utf8')));
    return new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port: server.port, path: `/api/call/${name}`, method: 'POST', headers: { authorization: `Bearer ${server.secret}`, 'content-type': 'application/json', host: `127.0.0.1:${server.port}` } }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; }).on('end', () => {
          if (answer.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`${name}: ${answer.statusCode ?? 0} ${text}`));
        });
      });
      outgoing.on('error', reject);
      outgoing.end(JSON.stringify(input));
    });
  };
  const operation = async (id: string): Promise<void> => {
    for (;;) {
      const { value } = await call('operations.get', { operationId: id });
      if (value['state'] === 'succeeded') return;
      if (value['state'] === 'failed' || value['state'] === 'cancelled') throw new Error(JSON.stringify(value));
      await sleep(100);
    }
  };
  const open = async (url: string): Promise<Page> => {
    const made = await (await browser.newContext()).newPage();
    await made.exposeBinding('stubInvoke', ({ frame }, channel: string, args: readonly unknown[]) => stub.do('invoke', { channel, args, frameUrl: frame.url(), inFrame: frame.parentFrame() !== null }));
    await made.addInitScript({ content: preloadScript() });
    made.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
    made.on('pageerror', (error) => problems.push(error.message));
    await made.goto(url);
    return made;
  };

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'vessel-built-shell-'));
    const env = { ...process.env, VESSEL_HOME: home, VESSEL_CACHE: join(home, 'cache'), VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1', VESSEL_READY_FILE: join(home, 'ready') };
    stub = startStubMain(join(OUT, 'main', 'index.js'), { env });
    await stub.until(() => existsSync(join(home, 'ready')));
    browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
    page = await open((await stub.record()).loads[0] ?? '');
  });
  afterAll(async () => {
    await browser.close();
    stub.kill();
    await stub.ended;
    // The server outlives a killed window on purpose.
    if (existsSync(serverFilePath(home))) process.kill(ServerFileSchema.parse(JSON.parse(readFileSync(serverFilePath(home), 'utf8'))).pid, 'SIGTERM');
    await sleep(1_000);
    rmSync(home, { recursive: true, force: true });
  });

  it('shows the app at the address that main loads, without an error in the console', async () => {
    await page.waitForSelector('#root > *');
    expect(new URL(page.url()).hostname).toBe('vessel.localhost');
    expect(page.url()).not.toMatch(/ticket/);
    expect(problems).toEqual([]);
  });

  it('hands core the key for secrets that the keychain keeps', async () => {
    expect((await call('app.info', {})).value).toMatchObject({ secretsSealed: true });
  });

  it('gives the page `window.vessel`, which reaches main and comes back', async () => {
    expect(await page.evaluate('Object.keys(window.vessel).sort()')).toEqual(['notify', 'pickFile', 'pickSaveFile', 'platform', 'shell']);
    await page.evaluate("window.vessel.notify('Saved', 'revision 2')");
    expect((await stub.record()).notifications).toContainEqual({ title: 'Saved', body: 'revision 2' });
    await stub.do('answer', { value: { canceled: false, filePath: '/tmp/demo.zip' } });
    expect(await page.evaluate("window.vessel.pickSaveFile('demo.zip')")).toBe('/tmp/demo.zip');
  });

  it('refuses the same preload in a foreign page and in a frame of our own', async () => {
    const foreign = await open('about:blank');
    await expect(foreign.evaluate("window.vessel.notify('x', 'y')")).rejects.toThrow(/may not use the desktop shell/);
    await foreign.context().close();
    const framed = await page.evaluate("(() => { const frame = document.createElement('iframe'); frame.src = location.origin + '/icon.svg'; document.body.append(frame); return new Promise((resolve) => { frame.onload = () => resolve(true); setTimeout(() => resolve(false), 2000); }); })()");
    const inner = page.frames().find((frame) => frame.parentFrame() !== null);
    // The content security policy may refuse the frame altogether, which is as good.
    if (framed === true && inner !== undefined && inner.url().startsWith('http')) await expect(inner.evaluate("window.vessel.notify('x', 'y')")).rejects.toThrow();
    expect((await stub.record()).notifications).toHaveLength(1);
  });

  it('lists a running environment in the tray and asks before quitting', async () => {
    const { value: project } = await call('projects.create', { name: 'Tray demo', template: 'blank' });
    const projectId = String(project['id']);
    const { value: opening } = await call('environments.open', { projectId });
    await operation(String(opening['operationId']));
    await stub.until(({ trayMenus }) => trayMenus.at(-1)?.some(({ label }) => label === 'Tray demo') === true);
    await stub.do('answer', { value: { response: 2 } });
    await stub.do('quit');
    const { dialogs } = await stub.until((record) => record.dialogs.some(({ title }) => title === 'Quit Vessel?'));
    expect(dialogs.at(-1)?.message).toBe('Tray demo keeps running');
    const { value: closing } = await call('environments.close', { projectId });
    await operation(String(closing['operationId']));
    await stub.until(({ trayMenus }) => trayMenus.at(-1)?.some(({ label }) => label === 'No environment is running') === true);
  });
});
