/**
 * Photographs every screen of the real product: real microVMs, real VS Code, a few projects in different states.
 *   node build/screenshots.ts [folder] [all | hosts] (default docs/screenshots; after `npm run build` and provisioning)
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { ideOf, launchBrowser, openInEditor } from './e2e/browser.ts';
import { endHome } from './e2e/home.ts';
import { startVessel } from './e2e/vessel.ts';
import { createCamera } from './screenshots/camera.ts';
import { photographHosts, startNeighbourhood } from './screenshots/hosts.ts';
import { createStory } from './screenshots/story.ts';

/** VS Code inside an emulated guest, on a machine that may be busy. */
const PATIENCE_MS = 180_000;
/** VS Code draws its parts one after the other; nothing tells when the last is there. */
const IDE_SETTLE_MS = 2500;
/** Until a server that was started in the terminal listens. */
const TERMINAL_PATIENCE_MS = 15_000;

const part = process.argv[3] ?? 'all';
const folder = process.argv[2] ?? join(import.meta.dirname, '../docs/screenshots');
await mkdir(folder, { recursive: true });
const neighbourhood = await startNeighbourhood();
const vessel = await startVessel({ env: neighbourhood.env });
const browser = await launchBrowser({ colorScheme: 'dark' });
try {
  if (part === 'all') await photograph(browser.page);
  else await browser.page.goto(vessel.url);
  browser.page.setDefaultTimeout(PATIENCE_MS);
  await photographHosts(browser.page, createCamera(browser.page, folder, (file) => console.log(file)), vessel, neighbourhood);
} finally {
  await browser.close();
  await vessel.stop();
  await endHome(vessel.home);
  await neighbourhood.stop();
}

async function photograph(page: Page): Promise<void> {
  const camera = createCamera(page, folder, (file) => console.log(file));
  const story = createStory(vessel);
  const go = async (hash: string): Promise<void> => {
    await page.evaluate(`window.location.hash = ${JSON.stringify(hash)}`);
    await page.locator('#main').waitFor();
  };
  const at = (id: string): ReturnType<Page['getByTestId']> => page.getByTestId(id).first();
  page.setDefaultTimeout(PATIENCE_MS);

  await vessel.client.call('hosts.refresh', { hostId: 'local' });
  await page.goto(vessel.url);
  await at('first-project').waitFor();
  await camera.take('projects-empty');
  await at('first-project').click();
  await at('project-name').fill('Shop API');
  await at('choice-node').click();
  await camera.take('create');
  await page.keyboard.press('Escape');

  const shop = await story.create('Shop API', 'node');
  const dashboard = await story.create('Customer dashboard', 'react-vite');
  const website = await story.create('Company website', 'static');
  await story.create('Price forecast', 'python');
  await story.create('Scratch pad', 'blank');
  const billing = await story.importFolder('Legacy billing');
  await page.getByTestId('toasts').getByRole('button').first().click();
  await at('import').click();
  await camera.take('import');
  await page.keyboard.press('Escape');

  // A boot while it happens; then the same one when it is done.
  const bootOf = async (projectId: string, theme: 'light' | 'dark'): Promise<string> => {
    await camera.use(theme);
    await page.getByTestId(`project-${projectId}`).getByTestId('open').click();
    // A fast machine may be through before it is photographed.
    await Promise.race([page.getByTestId('log').getByText('Restoring').waitFor(), at('ide-frame').waitFor()]);
    await camera.snap('console-running', theme);
    await at('ide-frame').waitFor();
    await go('#/');
    const { operations } = await vessel.client.call('operations.list', { projectId });
    return operations.find((operation) => operation.kind === 'open')?.id ?? '';
  };
  await bootOf(dashboard, 'light');
  const boot = await bootOf(shop, 'dark');
  await go(`#/operations/${boot}`);
  await camera.take('console-done');

  await story.save(shop, `printf "export const currencies = ['EUR', 'USD', 'CHF'];\\n" > currencies.js; node -e "const rows = Array.from({ length: 9000 }, (_, id) => ({ id, price: id * 7919 % 9973 / 100 })); require('fs').writeFileSync('catalog.json', JSON.stringify(rows, null, 1))"`);
  await story.save(shop, 'mkdir -p routes && for part in orders carts stock; do cp greet.js routes/$part.js; done && npm install --offline --package-lock-only');
  await story.save(shop, 'for number in 1 2 3 4 5 6; do cp greet.test.js routes/case-$number.test.js; done');
  await go(`#/projects/${shop}/history`);
  await at('history').waitFor();
  await camera.take('history');
  await page.keyboard.press('Escape');
  await go(`#/projects/${dashboard}/files/1/${encodeURIComponent('src/app.jsx')}`);
  await page.frameLocator('[data-testid=editor-frame]').locator('.view-lines').getByText('useState').first().waitFor();
  await camera.take('files');
  await at('tab-search').click();
  await at('file-search').fill('react');
  await at('search-status').getByText('text file').waitFor();
  await camera.take('files-search');
  await go(`#/projects/${shop}/diff/2/3`);
  await at('changes').waitFor();
  await camera.take('diff');
  await go(`#/projects/${shop}/settings`);
  await at('project-settings').waitFor();
  await camera.take('project-settings');
  await page.keyboard.press('Escape');

  await go(`#/projects/${shop}`);
  const ide = ideOf(page);
  await openInEditor(page, ide, 'server.js', PATIENCE_MS);
  await page.keyboard.press('Control+Backquote');
  await ide.locator('.terminal-wrapper .xterm-screen').waitFor();
  // With a renderer that draws on a canvas there is no text to wait for; then the settling has to do.
  await ide.locator('.xterm-rows', { hasText: '$' }).waitFor({ timeout: IDE_SETTLE_MS * 8 }).catch(() => undefined);
  await page.waitForTimeout(IDE_SETTLE_MS);
  const startServer = async (): Promise<void> => { await ide.locator('.terminal-wrapper .xterm-screen').click(); await page.keyboard.type('npm start\n'); };
  await startServer();
  const listens = async (): Promise<boolean> => (await vessel.client.call('environments.ports', { projectId: shop })).ports.some(({ port }) => port === 8080);
  const deadline = Date.now() + PATIENCE_MS;
  while (!await listens()) {
    if (Date.now() > deadline) throw new Error('the terminal did not start the server');
    await page.waitForTimeout(TERMINAL_PATIENCE_MS);
    // What was typed before the shell listened is lost on a busy machine.
    if (!await listens()) await startServer();
  }
  await camera.take('ide', { large: true, settleMs: IDE_SETTLE_MS });
  await at('control-toggle').click();
  await at('port-8080').waitFor();
  await camera.take('ide-control', { settleMs: IDE_SETTLE_MS });
  await page.keyboard.press('Escape');

  await story.run(dashboard, `npm install --offline >/dev/null && sed -i 's/It works/Customers this week/' src/app.jsx`);
  await go(`#/projects/${dashboard}`);
  await at('save-exit').click();
  await at('save-proof').waitFor();
  await at('proof-left-out').click();
  await camera.take('save-proof');

  await story.damage(billing);
  await go('#/');
  await page.getByTestId(`project-${billing}`).getByTestId('open').click();
  await at('error-panel').waitFor();
  await camera.take('console-failed');

  await story.open(website);
  await story.run(website, `sed -i 's/Nothing to build/Made with care/' index.html`);
  await go('#/');
  await page.getByTestId(`project-${website}`).getByText('unsaved changes').waitFor();
  await camera.take('projects', { large: true });
  await page.keyboard.press('Control+k');
  await page.keyboard.type('shop');
  await camera.take('palette');
  await page.keyboard.press('Escape');
  await go('#/hosts/local');
  await at('doctor').click();
  await at('doctor-result').waitFor();
  await camera.take('host');
  await go('#/settings');
  await camera.take('settings');
  await go('#/activity');
  await at('operations').waitFor();
  await camera.take('activity');
  await at('tab-events').click();
  await camera.take('events');

  for (const projectId of [shop, website]) await story.discard(projectId);
}
