/**
 * A whole day with the network off, in a network namespace that has nothing but a loopback: start, list, browse, search, edit, then
 * open, save and close an environment. Prints one JSON line; ends with 0 only when all of it worked.
 *   unshare --net sh -c 'ip link set lo up && exec node build/e2e/offline-journey.ts'
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:net';
import type { Page } from 'playwright-core';
import { launchBrowser } from './browser.ts';
import { endHome, fileInHead, inside } from './home.ts';
import { finish, startVessel } from './vessel.ts';

const PATIENCE_MS = 30_000;
const shots = process.env['VESSEL_SHOTS'];
const must = (holds: boolean, what: string): void => { if (!holds) throw new Error(what); };
const note = (line: string): void => { process.stderr.write(`${new Date().toISOString().slice(11, 23)} ${line}\n`); };

/** What a process without any network gets at once; a filtered network would let it wait. */
async function unreachable(host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: 443, timeout: 2000 });
    socket.once('connect', () => { socket.destroy(); resolve('connected'); });
    socket.once('timeout', () => { socket.destroy(); resolve('timeout'); });
    socket.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? 'error'));
  });
}

const began = performance.now();
must(await unreachable('192.0.2.1') === 'ENETUNREACH', 'there is a way out of this namespace');
const vessel = await startVessel();
const startMs = Math.round(performance.now() - began);
const browser = await launchBrowser();
const violations: string[] = [];
const { page } = browser;
page.on('console', (message) => { if (message.type() === 'error') violations.push(message.text()); });
page.on('pageerror', (error) => violations.push(error.message));
const shot = async (name: string): Promise<void> => {
  if (shots === undefined) return;
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(shots, `${name}-${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: 'light' });
};
const at = (id: string): ReturnType<Page['getByTestId']> => page.getByTestId(id);
const lines = () => page.frameLocator('[data-testid=editor-frame]').locator('.view-lines');
const state = async (): Promise<string> => (await at('files-state').textContent()) ?? '';
const until = async (what: string, holds: () => Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> => {
  for (const deadline = Date.now() + patienceMs; !await holds();) {
    must(Date.now() < deadline, `${what} did not come to be`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

try {
  const { client } = vessel;
  const { id } = await client.call('projects.create', { name: 'Shop', template: 'react-vite' });
  await client.call('projects.create', { name: 'Notes' });
  page.setDefaultTimeout(PATIENCE_MS);

  const opened = performance.now();
  await page.goto(vessel.url);
  await at(`project-${id}`).waitFor();
  const listMs = Math.round(performance.now() - opened);
  note(`the list shows after ${listMs} ms`);

  await at(`project-${id}`).getByTestId('project-menu').click();
  await at('menu-files').locator('visible=true').click();
  await at('file-src').click();
  await at('file-src/app.jsx').click();
  const frameBegan = performance.now();
  await lines().getByText('useState').first().waitFor();
  const editorMs = Math.round(performance.now() - frameBegan);
  note(`a file shows with its colours; the editor took ${editorMs} ms`);
  must(await page.frameLocator('[data-testid=editor-frame]').locator('.view-line span[class*=mtk]').count() > 10, 'the file has no syntax colours');
  await shot('files');

  await at('tab-search').click();
  await at('file-search').fill('vite');
  await until('the search', async () => (await at('search-status').textContent())?.includes('text file') === true);
  must(await at('search-hit').count() > 0, 'the search found nothing');
  await shot('files-search');
  await at('search-hit').first().click();
  await at('tab-files').click();
  note('searched');

  await at('tab-src/app.jsx').click();
  await lines().first().click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.type('// typed offline\n');
  await until('the draft', async () => (await client.call('drafts.get', { projectId: id, path: 'src/app.jsx' }))?.text?.startsWith('// typed offline\n') === true, 3000);
  note(`kept: ${await state()}`);
  await shot('files-edited');
  await until('the revision after a pause', async () => (await state()).includes('revision 2'));
  must((await client.call('projects.get', { projectId: id })).head?.reason === 'offline-edit', 'the pause made no offline edit');
  must((await fileInHead(client, vessel.home, id, 'src/app.jsx'))?.startsWith('// typed offline\n') === true, 'the revision lacks what was typed');

  await page.getByRole('button', { name: 'New file' }).click();
  await at('new-file-path').fill('docs/offline.md');
  await at('create-file').click();
  await at('tab-docs/offline.md').waitFor();
  await lines().first().click();
  await page.keyboard.type('# Made with the network off');
  await page.keyboard.press('Control+s');
  await until('the save by key', async () => (await state()).includes('revision 3') || (await state()).includes('revision 4'));
  must((await fileInHead(client, vessel.home, id, 'docs/offline.md')) === '# Made with the network off', 'the new file is not saved');
  note('edited, saved');

  await page.goto(`${vessel.file.baseUrl}/#/projects/${id}/diff/1/2`);
  await page.getByText('// typed offline').waitFor();
  await shot('diff');
  await page.goto(`${vessel.file.baseUrl}/#/projects/${id}/history`);
  await at('pin-1').click();
  await page.getByText('Pinned').waitFor();
  await shot('history');
  // Somebody else goes on while changes of ours wait: they are shown beside each other, and a person decides.
  const headNow = async (): Promise<number> => (await client.call('projects.get', { projectId: id })).head?.rev ?? 0;
  const on = await headNow();
  await client.call('drafts.put', { projectId: id, path: 'src/app.jsx', text: (await fileInHead(client, vessel.home, id, 'src/app.jsx') ?? '').replace('It works', 'It works offline'), baseRev: on });
  await client.call('drafts.put', { projectId: id, path: 'notes.txt', text: 'only mine\n', baseRev: on });
  await finish(client, (await client.call('history.restore', { projectId: id, rev: 1 })).operationId);
  await page.goto(`${vessel.file.baseUrl}/#/projects/${id}/files`);
  await at('review').click();
  await at('review-src/app.jsx').waitFor();
  await shot('review');
  await at('apply-review').click();
  await until('the reviewed changes', async () => (await client.call('drafts.list', { projectId: id })).state !== 'review');
  await until('their revision', async () => (await client.call('drafts.list', { projectId: id })).state === 'clean');
  must((await fileInHead(client, vessel.home, id, 'src/app.jsx'))?.includes('It works offline') === true && await fileInHead(client, vessel.home, id, 'notes.txt') === 'only mine\n', 'the review lost something');
  note('reviewed');
  await page.goto(`${vessel.file.baseUrl}/#/projects/${id}/files/1`);
  await at('file-package.json').click();
  await lines().getByText('scripts').first().waitFor();
  must((await state()).includes('read-only'), 'an old revision is not read-only');
  await shot('files-old');
  await page.goto(`${vessel.file.baseUrl}/#/`);
  await at(`project-${id}`).waitFor();
  await shot('projects');
  await page.goto(`${vessel.file.baseUrl}/#/settings`);
  await at('check-store').click();
  await at('fsck-report').getByText('every revision can be restored').waitFor();
  await shot('fsck');
  must(violations.length === 0, `the pages complained: ${violations.join('; ')}`);

  let environmentMs: number | null = null;
  if (process.env['VESSEL_JOURNEY'] !== 'screens') {
    const provision = await client.call('hosts.provision', { hostId: 'local' });
    await finish(client, provision.operationId);
    await client.call('drafts.put', { projectId: id, path: 'before.txt', text: 'saved before it opens', baseRev: (await client.call('projects.get', { projectId: id })).head?.rev ?? 0 });
    const clicked = performance.now();
    await finish(client, (await client.call('environments.open', { projectId: id })).operationId);
    environmentMs = Math.round(performance.now() - clicked);
    note(`an environment opens in ${environmentMs} ms`);
    must((await inside(client, id, ['cat', 'before.txt', 'notes.txt'])).includes('saved before it opens'), 'the environment lacks what was edited offline');
    await inside(client, id, ['sh', '-c', 'echo from inside > inside.txt']);
    await finish(client, (await client.call('environments.save', { projectId: id })).operationId);
    await finish(client, (await client.call('environments.close', { projectId: id })).operationId);
    must((await fileInHead(client, vessel.home, id, 'inside.txt'))?.trim() === 'from inside', 'what was written inside is not saved');
    note('opened, saved, closed');
  }
  const check = await finish(client, (await client.call('store.check', {})).operationId);
  must((check.operation.result as { readonly sound: boolean }).sound, 'the store is not sound');
  process.stdout.write(`${JSON.stringify({ startMs, listMs, editorMs, environmentMs })}\n`);
} catch (error) {
  if (shots !== undefined) await page.screenshot({ path: join(shots, 'failed.png') }).catch(() => undefined); // the failure itself is what matters
  if (shots !== undefined) await writeFile(join(shots, 'failed.txt'), `${String(error)}\n${violations.join('\n')}\n${vessel.output()}`);
  note(`failed: ${String(error)}; ${violations.join('; ')}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  await vessel.stop();
  await endHome(vessel.home);
}
