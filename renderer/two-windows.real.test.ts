import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RealVessel, startRealVessel } from './testing/real-vessel.ts';

/** Two windows on the same file of the same project, on the real server and core. */
const root = fileURLToPath(new URL('..', import.meta.url));
let vessel: RealVessel;
let browser: Browser;
let [one, two]: Page[] = [];
let projectId = '';
const problems: string[] = [];
/** While true, nothing of the server reaches the second window. */
let deaf = false;
const unheard: (() => void)[] = [];

const first = (): Page => { if (one === undefined) throw new Error('there is no first window'); return one; };
const second = (): Page => { if (two === undefined) throw new Error('there is no second window'); return two; };
const lines = (page: Page) => page.frameLocator('[data-testid=editor-frame]').locator('.view-lines');
const typeAtStart = async (page: Page, text: string): Promise<void> => { await lines(page).first().click(); await page.keyboard.press('Control+Home'); await page.keyboard.type(text); };
const hear = (): void => { deaf = false; for (const pass of unheard.splice(0)) pass(); };
/** What Vessel holds, asked over a page's own door. */
const ask = (name: string, input: object): Promise<unknown> => first().evaluate(async ({ name, input }) => {
  const answer = await fetch(`/api/call/${name}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(input) });
  return ((await answer.json()) as { readonly value: unknown }).value;
}, { name, input });
const kept = async (path: string): Promise<string | null> => ((await ask('drafts.get', { projectId, path })) as { readonly text: string } | null)?.text ?? null;
const content = async (path: string): Promise<unknown> => ((await ask('archive.file', { projectId, path })) as { readonly content: { readonly text?: string } }).content.text;
const show = async (page: Page): Promise<void> => {
  await page.goto(`${new URL(vessel.url).origin}/#/projects/${projectId}/files`);
  await page.getByTestId('file-README.md').click();
  await lines(page).first().waitFor();
};

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['build/build.mjs', 'window'], { cwd: root });
  vessel = await startRealVessel();
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  one = await context.newPage();
  two = await context.newPage();
  for (const page of [one, two]) {
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => { if (/content security policy/i.test(message.text())) problems.push(message.text()); });
  }
  await two.routeWebSocket(/\/api\/socket/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => { if (deaf) unheard.push(() => socket.send(message)); else socket.send(message); });
  });
  await one.goto(vessel.url);
  await one.getByTestId('project-grid').waitFor({ state: 'attached' });
  projectId = ((await ask('projects.create', { name: 'Shop', template: 'node' })) as { readonly id: string }).id;
  await Promise.all([show(one), show(two)]);
});
afterAll(async () => {
  await browser.close();
  await vessel.stop();
});

it('a window shows what the other one typed, and what is typed then stands on top of it', async () => {
  await typeAtStart(first(), 'FROM-ONE ');
  await lines(second()).getByText('FROM-ONE').waitFor();
  await typeAtStart(second(), 'FROM-TWO ');
  await lines(first()).getByText('FROM-TWO FROM-ONE').waitFor();
  await expect.poll(() => kept('README.md')).toMatch(/^FROM-TWO FROM-ONE /);
  // The first window's own later typing stands on the other's as well, also after both became a revision.
  await expect.poll(() => content('README.md'), { timeout: 15_000 }).toMatch(/^FROM-TWO FROM-ONE /);
  await typeAtStart(first(), 'AGAIN ');
  await lines(second()).getByText('AGAIN FROM-TWO FROM-ONE').waitFor();
  expect(await first().getByTestId('draft-conflict').count() + await second().getByTestId('draft-conflict').count()).toBe(0);
});

it.each([['both', /^MINE\s/, /^OTHER\s/], ['mine', /^MINE\s/, null], ['theirs', /^OTHER\s/, null]] as const)('two changes at once are a conflict that overwrites nothing, until a person takes %s', async (take, wanted, original) => {
  await ask('drafts.discard', { projectId });
  await expect.poll(() => lines(first()).innerText()).not.toMatch(/OTHER|MINE|AGAIN/);
  await expect.poll(() => lines(second()).innerText()).not.toMatch(/OTHER|MINE|AGAIN/);
  deaf = true;
  await typeAtStart(first(), 'OTHER ');
  await expect.poll(() => kept('README.md')).toMatch(/^OTHER /);
  await typeAtStart(second(), 'MINE ');
  await new Promise((resolve) => { setTimeout(resolve, 600); }); // longer than the pause after which it is sent
  expect(await kept('README.md')).toMatch(/^OTHER /);
  hear();
  await second().getByTestId('draft-conflict').waitFor();
  expect(await lines(second()).innerText()).toContain('MINE');
  await second().getByTestId(`take-${take}`).click();
  await second().getByTestId('draft-conflict').waitFor({ state: 'detached' });
  await expect.poll(() => lines(second()).innerText()).toMatch(wanted);
  if (original === null) await expect.poll(() => lines(first()).innerText()).toMatch(wanted);
  else {
    expect(await kept('README.md')).toMatch(original);
    const { drafts } = await ask('drafts.list', { projectId }) as { readonly drafts: readonly { readonly path: string }[] };
    const copy = drafts.find(({ path }) => /^README\.copy-\d{6}\.md$/.test(path))?.path ?? '';
    expect(await kept(copy)).toMatch(wanted);
    await second().getByTestId('tab-README.md').click();
  }
});

it('broke no rule of the content security policy and threw no error on the way', () => expect(problems).toEqual([]));
