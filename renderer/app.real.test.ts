import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findAccessibilityProblems } from './testing/accessibility.ts';
import { sync } from './testing/fixture-data.ts';
import { startStandInServer, type StandInServer } from './testing/stand-in-server.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
let browser: Browser;
let context: BrowserContext;
let server: StandInServer;
let page: Page;
let problems: string[] = [];

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['build/build.mjs', 'window'], { cwd: root });
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
});
afterAll(() => browser.close());
beforeEach(async () => {
  server = await startStandInServer(`${root}/out/renderer`);
  context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  page = await context.newPage();
  problems = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => { if (/content security policy|uncaught/i.test(message.text())) problems.push(message.text()); });
});
afterEach(async () => {
  await context.close();
  await server.close();
  expect(problems).toEqual([]);
});

const at = (id: string): ReturnType<Page['getByTestId']> => page.getByTestId(id);
const project = 'demo-a2bc';

/** Makes a project through the dialog and lands on its card. */
async function createDemo(): Promise<void> {
  await page.goto(server.url);
  await at('new-project').click();
  await at('project-name').fill('Demo');
  await at('create-only').click();
  await at(`project-${project}`).waitFor();
}

describe('the journey', () => {
  it('goes from the first project through the console into the IDE by itself, and out again with the proof', async () => {
    await page.goto(server.url);
    await at('first-project').click();
    await at('project-name').fill('Demo');
    await at('choice-python').click();
    await at('create-open').click();
    await at('console').waitFor();
    await page.waitForFunction(() => document.querySelectorAll('[data-state=done]').length > 0);
    expect(await at('log').textContent()).toContain('Check the archive: line 1');
    await at('ide-frame').waitFor();
    await page.frameLocator('[data-testid=ide-frame]').getByLabel('Editor').fill('typed');
    expect(page.url()).toContain(`#/projects/${project}`);

    await at('control-toggle').click();
    await at('save-now').click();
    await page.getByText('Revision 2 saved and verified').waitFor();
    await page.keyboard.press('Escape');

    await at('save-exit').click();
    await at('save-proof').waitFor();
    expect(await at('proof-rev').textContent()).toBe('3');
    expect(await at('proof-sha256').getAttribute('title')).toMatch(/^[0-9a-f]{64}$/);
    expect(await at('proof-files').textContent()).toContain('files');
    await at('done-back').click();
    expect(await at('last-save').textContent()).toMatch(/Verified just now.*Revision 3/);
    expect(await at('state').textContent()).toContain('Stored');
  });

  it('survives a reload in the middle of an opening, with its log from the first line on', async () => {
    await createDemo();
    await at('open').click();
    await page.getByText('Clone the template: line 2').waitFor();
    await page.reload();
    await page.getByText('Check the archive: line 1', { exact: true }).waitFor();
    await at('ide-frame').waitFor();
  });

  it('says that it reconnects, and then shows every line of the log once', async () => {
    await createDemo();
    await at('open').click();
    await page.getByText('Check the archive: line 3').waitFor();
    // The console leaves by itself at the end: what it showed last is kept for the comparison.
    await page.evaluate(() => {
      const log = document.querySelector('[data-testid=log]');
      if (log === null) throw new Error('no log');
      new MutationObserver(() => { document.body.dataset['shown'] = JSON.stringify([...log.querySelectorAll(':scope > div')].map((line) => line.textContent)); }).observe(log, { childList: true, subtree: true });
    });
    server.dropConnections();
    await at('ide-frame').waitFor();
    const texts = JSON.parse(await page.evaluate(() => document.body.dataset['shown'] ?? '[]')) as readonly string[];
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts.length).toBeGreaterThanOrEqual(17);
    expect(texts[0]).toContain('Check the archive: line 1');
  });

  it('announces a server that stays away, keeps the list readable, and heals', async () => {
    await createDemo();
    const { url } = server;
    await context.setOffline(true);
    server.dropConnections();
    await at('reconnecting').waitFor();
    expect(await at(`project-${project}`).isVisible()).toBe(true);
    await context.setOffline(false);
    await at('reconnecting').waitFor({ state: 'detached' });
    expect(page.url()).toContain(url);
  });

  it('shows code, evidence and fix of a failed opening, and Retry succeeds', async () => {
    await createDemo();
    server.core.failNextOpen();
    await at('open').click();
    await at('error-panel').waitFor();
    expect(await at('error-code').textContent()).toBe('VM_START_FAILED');
    expect(await at('log-tail').textContent()).toContain('could not allocate memory');
    expect(await at('error-hint').textContent()).toContain('Retry');
    expect(await at('step-step-1').getAttribute('data-state')).toBe('failed');
    await at('retry').click();
    await at('ide-frame').waitFor();
  });

  it('cancels in the middle and says so', async () => {
    await createDemo();
    await at('open').click();
    await page.getByText('Clone the template: line 1').waitFor();
    await at('cancel').click();
    await page.getByText(/Cancelled after/).waitFor();
    await at('done-back').click();
    await at('open').waitFor();
  });
});

describe('the keyboard', () => {
  it('alone is enough: create, open, leave the IDE, Save & Exit', async () => {
    await page.goto(server.url);
    await at('first-project').waitFor();
    await page.keyboard.press('n');
    await at('create-dialog').waitFor();
    await page.keyboard.type('Demo');
    await page.keyboard.press('Enter');
    await at('ide-frame').waitFor();
    await page.getByTestId('save-exit').focus();
    await page.keyboard.press('Enter');
    await at('save-proof').waitFor();
    await page.keyboard.press('Enter');
    await at(`project-${project}`).waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('history demo');
    await page.keyboard.press('Enter');
    await at('history').waitFor();
    await page.keyboard.press('Escape');
    await at('history').waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await at('shortcuts').waitFor();
  });

  it('moves between cards with the arrows and opens with Enter', async () => {
    server.core.addProjects(6);
    await page.goto(server.url);
    await at('search').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('project');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Open Project 1');
    await page.keyboard.press('Enter');
    await at('console').waitFor();
  });
});

describe('a project that also rests in a cloud', () => {
  const conflict = { ours: 2, theirs: 3, branch: 'laptop-2', at: Date.now() };
  it('says what is only here, who has it open, and lets a person take it over', async () => {
    await createDemo();
    server.core.setSync(project, sync({ state: 'pending', pending: 2 }));
    await expect.poll(() => at('sync-pending').textContent()).toBe('2 changes still only on this computer');
    server.core.setSync(project, sync({ lease: { device: 'laptop-2', since: Date.now(), mine: false } }));
    await at('sync-lease').click();
    expect(await at('take-over-dialog').textContent()).toContain('It is open on laptop-2 since');
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await at('take-over').click();
    await at('sync-synced').waitFor();
  });

  it('shows both of two saves with their difference, and goes on with the one that a person keeps', async () => {
    await createDemo();
    server.core.setSync(project, sync({ conflict }));
    await at('sync-conflict').click();
    expect(await at('conflict-dialog').textContent()).toMatch(/Revision 2, of this computer.*laptop-2.*Revision 3, of the other computer/);
    expect(await findAccessibilityProblems(page)).toEqual([]);
    await at('conflict-compare').click();
    expect(page.url()).toMatch(/#\/projects\/demo-a2bc\/diff\/3\/2$/);
    await page.goto(`${server.url}#/`);
    await at('sync-conflict').click();
    await at('keep-theirs').click();
    await at('sync-synced').waitFor();
    server.core.setSync(project, sync({ conflict: { ...conflict, theirs: null } }));
    await at('sync-conflict').click();
    expect(await at('keep-mine').isDisabled()).toBe(true);
    await page.keyboard.press('Escape');
    server.core.setSync(project, sync({ conflict }));
    await at('sync-conflict').click();
    await at('keep-mine').click();
    await at('console').waitFor();
  });
});

describe('a password that work needs before it begins', () => {
  it('is asked for in a dialog of its own, hidden, and the work goes on with the answer', async () => {
    const answered = server.core.askBeforePlan();
    await page.goto(`${server.url}#/hosts/local`);
    await at('plan').click();
    await at('page-prompt').waitFor();
    expect(await at('page-prompt').textContent()).toMatch(/Administrator password.*ada@build-box wants your password again/);
    expect(await at('prompt-field-0').getAttribute('type')).toBe('password');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('prompt-field-0');
    await page.keyboard.type('geheim');
    await at('prompt-remember').check();
    await page.keyboard.press('Enter');
    expect(await answered).toEqual({ answers: ['geheim'], remember: true });
    await at('plan-result').waitFor();
    await at('page-prompt').waitFor({ state: 'detached' });
  });

  it('may be declined, which is said where the work would have been shown', async () => {
    const answered = server.core.askBeforePlan();
    await page.goto(`${server.url}#/hosts/local`);
    await at('plan').click();
    await at('page-prompt').waitFor();
    await page.keyboard.press('Escape');
    expect((await answered).answers).toBeNull();
    await at('error-panel').waitFor();
    expect(await at('error-code').textContent()).toBe('SSH_PROMPT_CANCELLED');
  });
});

it('moves the floating control by dragging and by arrow keys, and remembers its place', async () => {
  await createDemo();
  await at('open').click();
  await at('ide-frame').waitFor();
  const before = await at('floating-control').boundingBox();
  const handle = await at('control-handle').boundingBox();
  if (before === null || handle === null) throw new Error('The control has no box');
  await page.mouse.move(handle.x + 8, handle.y + 8);
  await page.mouse.down();
  await page.mouse.move(300, 200, { steps: 4 });
  await page.mouse.up();
  const dragged = await at('floating-control').boundingBox();
  expect(dragged?.y).toBeLessThan(before.y - 200);
  await at('control-handle').focus();
  await page.keyboard.press('ArrowDown');
  const moved = await at('floating-control').boundingBox();
  expect(moved?.y).toBeGreaterThan(dragged?.y ?? Infinity);
  await page.reload();
  await at('floating-control').waitFor();
  expect((await at('floating-control').boundingBox())?.y).toBeCloseTo(moved?.y ?? 0, 0);
});

it('keeps a thousand projects smooth: the list is there at once and a search answers within a blink', async () => {
  server.core.addProjects(1000);
  await page.goto(server.url);
  await page.locator('[data-project-card]').first().waitFor();
  expect(await page.locator('[data-project-card]').count()).toBeLessThan(60);
  await page.evaluate(() => { const scroller = document.querySelector('[data-scroller]'); if (scroller !== null) scroller.scrollTop = scroller.scrollHeight; });
  await page.getByText('Project 999', { exact: true }).waitFor();
  await page.locator('#project-search').fill('Project 777');
  await expect.poll(() => page.locator('[data-project-card]').count()).toBe(1);
});

it('turns encryption on only after two words of the phrase were typed, shows the phrase no second time, and can be done by keyboard', async () => {
  await page.goto(`${server.url}#/settings`);
  await at('encryption-on').focus();
  await page.keyboard.press('Enter');
  await at('encryption-phrase').waitFor();
  expect(await at('encryption-phrase').locator('li').count()).toBe(24);
  expect(await findAccessibilityProblems(page)).toEqual([]);
  await at('encryption-written').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.type('wrong');
  await page.keyboard.press('Tab');
  await page.keyboard.type('words');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('The words are not those of the recovery phrase').waitFor();
  expect(await at('encryption-phrase').count()).toBe(0);
  await at('encryption-word-0').fill('able');
  await at('encryption-word-1').fill('clip');
  expect(await findAccessibilityProblems(page)).toEqual([]);
  await page.keyboard.press('Enter');
  await at('encryption-dialog').waitFor({ state: 'detached' });
  await page.goto(`${server.url}#/settings`);
  await at('encryption-off').click();
  expect(await findAccessibilityProblems(page)).toEqual([]);
  await at('encryption-off-confirm').click();
  await at('encryption-on').waitFor();
});

it.each(['#/', '#/new', '#/import', '#/projects/demo-a2bc/history', '#/projects/demo-a2bc/files', '#/projects/demo-a2bc/diff/1/2', '#/projects/demo-a2bc/settings', '#/hosts', '#/add-host', '#/hosts/local', '#/settings', '#/activity'])('%s names every control, labels every field and shows where the focus is', async (hash) => {
  await createDemo();
  await page.goto(`${server.url}${hash}`);
  await page.waitForTimeout(400);
  expect(await findAccessibilityProblems(page)).toEqual([]);
});
