import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import AdmZip from 'adm-zip';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RealVessel, startRealVessel } from './testing/real-vessel.ts';

/** The renderer on the real server and core, with guests that are plain processes. One project lives through the whole file. */
const root = fileURLToPath(new URL('..', import.meta.url));
let vessel: RealVessel;
let browser: Browser;
let page: Page;
const problems: string[] = [];
const at = (id: string): ReturnType<Page['getByTestId']> => page.getByTestId(id);
const card = (name: string): ReturnType<Page['locator']> => page.locator('[data-project-card]', { has: page.getByRole('heading', { name, exact: true }) });
const home = async (): Promise<void> => { await page.evaluate(() => { window.location.hash = '#/'; }); await at('project-grid').waitFor(); };

/** Runs a shell line in the open environment, over the page's own door. */
async function runInGuest(line: string): Promise<void> {
  const projectId = /projects\/([^/]+)/.exec(page.url())?.[1] ?? '';
  await page.evaluate(({ projectId, line }) => new Promise<void>((resolve, reject) => {
    const socket = new WebSocket(`ws://${window.location.host}/api/socket`);
    socket.onopen = () => socket.send(JSON.stringify({ t: 'stream', id: 1, name: 'exec.run', input: { projectId, argv: ['sh', '-c', line] } }));
    socket.onmessage = (event) => {
      const frame = JSON.parse(String(event.data)) as { readonly t: string };
      if (frame.t === 'next') return;
      socket.close();
      if (frame.t === 'end') resolve();
      else reject(new Error(String(event.data)));
    };
    socket.onerror = () => reject(new Error('no socket'));
  }), { projectId, line });
}

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['build/build.mjs', 'window'], { cwd: root });
  vessel = await startRealVessel();
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true })).newPage();
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => { if (/content security policy/i.test(message.text())) problems.push(message.text()); });
  await page.goto(vessel.url);
});
afterAll(async () => {
  await browser.close();
  await vessel.stop();
});

it('creates a project and opens it through the console into the IDE', async () => {
  await at('first-project').click();
  await at('project-name').fill('Demo');
  await at('choice-node').click();
  await at('create-open').click();
  await at('ide-frame').waitFor();
  const ide = page.frameLocator('[data-testid=ide-frame]');
  await ide.locator('.monaco-workbench').waitFor();
  expect(await at('ready-in').textContent()).toMatch(/^ready in .+, (cloned from template|booted cold)$/);
  expect(await at('safe-copy').textContent()).toContain('Saved and verified');
});

it('saves now without leaving, and says why the environment stays alive', async () => {
  await runInGuest('echo changed > changed.txt');
  await at('control-toggle').click();
  await at('save-now').click();
  await page.getByText('Revision 2 saved and verified').waitFor();
  await page.waitForFunction(() => !/Asking/.test(document.querySelector('[data-testid=idle]')?.textContent ?? 'Asking'));
  expect(await at('idle').textContent()).toMatch(/Saves and stops in|Active|Never/);
  expect(await at('ports').textContent()).toContain('Ports');
  await page.keyboard.press('Escape');
});

it('keeps the environment over a reload of the page', async () => {
  await page.reload();
  await page.frameLocator('[data-testid=ide-frame]').locator('.monaco-workbench').waitFor();
});

it('ends with Save & Exit and shows the proof before it goes back', async () => {
  await at('save-exit').click();
  await at('save-proof').waitFor();
  expect(await at('proof-sha256').getAttribute('title')).toMatch(/^[0-9a-f]{64}$/);
  expect(await at('proof-verified').textContent()).toMatch(/^\d{4}-\d{2}-\d{2} /);
  await at('done-back').click();
  await card('Demo').getByText('Stored').waitFor();
  expect(await card('Demo').getByTestId('last-save').textContent()).toMatch(/Verified just now/);
});

it('imports a zip with the browser, and exports the same files', async () => {
  const zip = new AdmZip();
  zip.addFile('hello.txt', Buffer.from('hello'));
  zip.addFile('src/é.txt', Buffer.from('accent'));
  await at('import').click();
  await at('import-file').setInputFiles({ name: 'Shop.zip', mimeType: 'application/zip', buffer: zip.toBuffer() });
  expect(await at('import-name').inputValue()).toBe('Shop');
  await at('start-import').click();
  await at('totals').waitFor();
  await at('done-back').click();
  await card('Shop').getByTestId('project-menu').click();
  const [download] = await Promise.all([page.waitForEvent('download'), card('Shop').getByTestId('menu-export').click()]);
  const names = new AdmZip(await readFile(await download.path())).getEntries().filter((entry) => !entry.isDirectory).map((entry) => entry.entryName).sort();
  expect(names).toEqual(['hello.txt', 'src/é.txt']);
});

it('refuses a hostile zip with the reason, in the console', async () => {
  const zip = new AdmZip();
  zip.addFile('harmless', Buffer.from('x'));
  const entry = zip.getEntries()[0];
  if (entry === undefined) throw new Error('no entry');
  entry.entryName = '../escape';
  await at('import').click();
  await at('import-file').setInputFiles({ name: 'Evil.zip', mimeType: 'application/zip', buffer: zip.toBuffer() });
  await at('start-import').click();
  await at('error-panel').waitFor();
  expect(await at('error-code').textContent()).toBe('ARCHIVE_UNSAFE');
  await home();
});

it('lists every revision, verifies one, and restores an older one as a new revision', async () => {
  await page.reload();
  await card('Demo').getByTestId('project-menu').click();
  await card('Demo').getByTestId('menu-history').click();
  await at('revision-1').waitFor();
  await at('verify-1').click();
  await page.getByText('Revision 1 is intact').waitFor();
  const before = await page.locator('[data-testid^=revision-]').count();
  expect(before).toBeGreaterThan(1);
  await at('restore-1').click();
  await at('totals').waitFor();
  await at('done-back').click();
  await card('Demo').getByTestId('project-menu').click();
  await card('Demo').getByTestId('menu-history').click();
  await at(`revision-${before + 1}`).getByText('Restored').waitFor();
  await page.keyboard.press('Escape');
});

it('renames, keeps settings, deletes and brings back', async () => {
  await card('Shop').getByTestId('project-menu').click();
  await card('Shop').getByTestId('menu-rename').click();
  await at('rename').fill('Shop two');
  await at('exclude-rules').fill('*.log');
  await at('save-project-settings').click();
  await card('Shop two').waitFor();
  await card('Shop two').getByTestId('project-menu').click();
  await card('Shop two').getByTestId('menu-delete').click();
  await at('confirm-delete').click();
  await card('Shop two').waitFor({ state: 'detached' });
  await at('show-deleted').click();
  await page.locator('[data-testid^=undelete-]').click();
  await page.keyboard.press('Escape');
  await card('Shop two').waitFor();
});

it('throws work away only when its name was typed', async () => {
  await card('Demo').getByTestId('open').click();
  await at('ide-frame').waitFor();
  await at('control-toggle').click();
  await at('discard').click();
  expect(await at('confirm-discard').isDisabled()).toBe(true);
  await at('discard-confirm').fill(/projects\/([^/]+)/.exec(page.url())?.[1] ?? '');
  await at('confirm-discard').click();
  await at('totals').waitFor();
  await at('done-back').click();
  await card('Demo').getByText('Stored').waitFor();
});

it('shows this computer, checks it, and keeps the theme over a reload', async () => {
  await at('nav-hosts').click();
  await at('host-local').getByTestId('host-link').click();
  await at('accelerator').waitFor();
  await at('doctor').click();
  await at('doctor-result').waitFor();
  await at('plan').click();
  await at('plan-result').waitFor();
  await at('nav-settings').click();
  await at('choice-dark').click();
  await page.waitForFunction(() => document.documentElement.dataset['theme'] === 'dark');
  await page.reload();
  await page.waitForFunction(() => document.documentElement.dataset['theme'] === 'dark');
});

it('lists what was done and opens the console of any of it again', async () => {
  await at('nav-activity').click();
  await at('filter-kind').selectOption('close');
  await page.locator('[data-testid^=operation-]').first().click();
  await at('save-proof').waitFor();
  expect((await at('log').textContent())?.length).toBeGreaterThan(20);
  await page.goBack();
  await at('tab-events').click();
  await page.locator('[data-testid=events] li').first().waitFor();
});

it('broke no rule of the content security policy and threw no error on the way', () => {
  expect(problems).toEqual([]);
});
