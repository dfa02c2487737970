import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

/** What runs inside the page is text: this folder knows no DOM. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The program of the installed `electron` package, without importing it: that would try to download it. */
function electronProgram(): string | null {
  const folder = join(ROOT, 'node_modules', 'electron');
  const pathFile = join(folder, 'path.txt');
  if (!existsSync(pathFile)) return null;
  const program = join(folder, 'dist', readFileSync(pathFile, 'utf8'));
  return existsSync(program) ? program : null;
}

const hasDisplay = (): boolean => process.platform !== 'linux' || Boolean(process.env['DISPLAY']) || Boolean(process.env['WAYLAND_DISPLAY']);
const XVFB = '/usr/bin/Xvfb';

function whyNot(): string | null {
  if (electronProgram() === null) return 'no Electron binary';
  return hasDisplay() || existsSync(XVFB) ? null : 'no display for Electron, and no Xvfb';
}

/** A display of its own; it chooses its number and says it. */
function startDisplay(): Promise<{ readonly process: ChildProcess; readonly display: string }> {
  const child = spawn(XVFB, ['-displayfd', '1', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], { stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Xvfb ended with code ${code ?? '?'}`)));
    child.stdout.once('data', (text: Buffer) => resolve({ process: child, display: `:${text.toString('utf8').trim()}` }));
  });
}

describe('the desktop app in real Electron', () => {
  const reason = whyNot();
  let home: string;
  let app: ElectronApplication;
  let page: Page;
  let screen: ChildProcess | undefined;
  beforeAll(async () => {
    if (reason !== null) return;
    const made = hasDisplay() ? null : await startDisplay();
    screen = made?.process;
    home = mkdtempSync(join(tmpdir(), 'vessel-electron-'));
    // Root cannot use Chromium's sandbox; everybody else tests with it.
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    app = await _electron.launch({ executablePath: electronProgram() ?? '', args: [...asRoot, ROOT], env: { ...process.env as Record<string, string>, VESSEL_HOME: home, ...(made === null ? {} : { DISPLAY: made.display }) } });
    page = await app.firstWindow();
    await page.waitForSelector('#root > *');
  });
  beforeEach((context) => { if (reason !== null) context.skip(reason); });
  afterAll(async () => {
    if (reason !== null) return;
    await app.close();
    screen?.kill();
    rmSync(home, { recursive: true, force: true });
  });

  it('shows the app from its own loopback origin', () => {
    expect(new URL(page.url()).hostname).toBe('vessel.localhost');
  });

  it('gives the page the shell and nothing of Node', async () => {
    const seen = await page.evaluate('({ shell: window.vessel?.shell, require: typeof globalThis.require, process: typeof globalThis.process })');
    expect(seen).toEqual({ shell: 'electron', require: 'undefined', process: 'undefined' });
  });

  it('isolates and sandboxes its window', async () => {
    const preferences = await app.evaluate(({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0]?.webContents as unknown as { getLastWebPreferences(): Record<string, unknown> } | undefined;
      return contents?.getLastWebPreferences();
    });
    expect(preferences).toMatchObject({ contextIsolation: true, sandbox: true, nodeIntegration: false, webviewTag: true });
  });

  it('opens no second window and stays on its origin', async () => {
    await page.evaluate("window.open('http://vessel.invalid/'); undefined");
    expect(app.windows()).toHaveLength(1);
    await page.evaluate("location.href = 'http://vessel.invalid/'");
    expect(new URL(page.url()).hostname).toBe('vessel.localhost');
  });

  it('refuses a webview that is no environment', async () => {
    await page.evaluate("document.body.append(Object.assign(document.createElement('webview'), { src: 'https://example.invalid/' })); undefined");
    await page.waitForTimeout(500);
    expect(await app.evaluate(({ webContents }) => webContents.getAllWebContents().filter((contents) => contents.getType() === 'webview').length)).toBe(0);
  });
});
