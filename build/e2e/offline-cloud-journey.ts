/**
 * A project in the cloud through a day without a network: signed in and synced in the window, then Vessel starts with the network off, lists, browses,
 * searches, edits, makes, renames and deletes projects, opens, saves and closes an environment; then the network is back. The namespace has nothing but a
 * loopback; the cloud is reached through a Unix socket, and only while `online`. Prints what this computer then has, one JSON line; ends with 0 only when all of it worked.
 *   VESSEL_CLOUD_SOCKET=… VESSEL_CLOUD_KEY=… unshare --net sh -c 'ip link set lo up && exec node build/e2e/offline-cloud-journey.ts'
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Page } from 'playwright-core';
import { launchBrowser, type TestBrowser } from './browser.ts';
import { endHome, fileInHead, inside } from './home.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

const PATIENCE_MS = 30_000;
const cloudSocket = process.env['VESSEL_CLOUD_SOCKET'] ?? '';
const publishableKey = process.env['VESSEL_CLOUD_KEY'] ?? '';
const EMAIL = 'ada@example.com';
const PASSWORD = 'correct horse battery';
const must = (holds: boolean, what: string): void => { if (!holds) throw new Error(what); };
const note = (line: string): void => { process.stderr.write(`${new Date().toISOString().slice(11, 23)} ${line}\n`); };

/** The only way out. While the network is off nothing answers there and what was connected breaks. */
const links = new Set<Socket>();
let isOnline = true;
const wire = createServer((socket) => {
  if (!isOnline) { socket.resetAndDestroy(); return; }
  const far = connect(cloudSocket);
  for (const end of [socket, far]) { links.add(end); end.on('close', () => links.delete(end)); end.on('error', () => { socket.destroy(); far.destroy(); }); }
  socket.pipe(far).pipe(socket);
});
await new Promise<void>((resolve) => { wire.listen(0, '127.0.0.1', resolve); });
const cloudUrl = `http://127.0.0.1:${(wire.address() as AddressInfo).port}`;
const online = (on: boolean): void => { isOnline = on; if (!on) for (const end of links) end.destroy(); };

const homes: string[] = [];
const now: { vessel: RunningVessel | null; browser: TestBrowser | null } = { vessel: null, browser: null };
const violations: string[] = [];
const page = (): Page => { if (now.browser === null) throw new Error('there is no browser'); return now.browser.page; };
const at = (id: string): ReturnType<Page['getByTestId']> => page().getByTestId(id);
const lines = () => page().frameLocator('[data-testid=editor-frame]').locator('.view-lines');
const show = async (hash: string): Promise<void> => { await page().evaluate(`window.location.hash = ${JSON.stringify(hash)}`); };
const until = async (what: string, holds: () => Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> => {
  for (const deadline = Date.now() + patienceMs; !await holds();) {
    must(Date.now() < deadline, `${what} did not come to be`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
const text = async (id: string): Promise<string> => (await at(id).textContent()) ?? '';

/** Vessel and a window on it; guests are plain processes, what is shown here is not the VM. */
async function start(home?: string): Promise<RunningVessel> {
  const vessel = await startVessel({ driver: 'process', ...(home === undefined ? {} : { home }) });
  now.vessel = vessel;
  if (home === undefined) homes.push(vessel.home);
  const browser = await launchBrowser();
  now.browser = browser;
  browser.page.setDefaultTimeout(PATIENCE_MS);
  browser.page.on('pageerror', (error) => violations.push(error.message));
  browser.page.on('console', (message) => { if (/content security policy/i.test(message.text())) violations.push(message.text()); });
  await browser.page.goto(vessel.url);
  return vessel;
}
async function stop(): Promise<void> {
  await now.browser?.close();
  await now.vessel?.stop();
  [now.browser, now.vessel] = [null, null];
}

try {
  const before = await start();
  await at('first-project').waitFor();
  await show('#/settings');
  await at('cloud-url').fill(cloudUrl);
  await at('cloud-key').fill(publishableKey);
  await at('cloud-configure').click();
  await at('account-email').fill(EMAIL);
  await at('account-password').fill(PASSWORD);
  await at('sign-up').click();
  await page().locator('[data-testid=account][data-state=online]').waitFor();
  must(/Used.* of .*, .* for one archive/.test(await text('account')), 'the limits of the plan are not shown');
  const { id } = await before.client.call('projects.create', { name: 'Shop', template: 'react-vite' });
  const { id: doomed } = await before.client.call('projects.create', { name: 'Old' });
  await show('#/');
  for (const each of [id, doomed]) await at(`project-${each}`).getByTestId('sync-synced').waitFor();
  note('signed in and synced');
  await stop();
  online(false);

  const { client, home } = await start(before.home);
  await at(`project-${id}`).waitFor();
  must(await at(`project-${doomed}`).count() === 1, 'a project is missing from the list');
  await show(`#/projects/${id}/files`);
  await at('file-src').click();
  await at('file-src/app.jsx').click();
  await lines().getByText('useState').first().waitFor();
  await at('tab-search').click();
  await at('file-search').fill('vite');
  await until('the search', async () => await at('search-hit').count() > 0);
  await at('tab-files').click();
  await lines().first().click();
  await page().keyboard.press('Control+Home');
  await page().keyboard.type('// typed offline\n');
  await page().keyboard.press('Control+s');
  await until('the revision', async () => (await client.call('projects.get', { projectId: id })).head?.rev === 2);
  const answer = await page().evaluate(`fetch('/api/projects/${id}/revisions/2/files/src/app.jsx').then((answer) => answer.text())`) as string;
  must(answer.startsWith('// typed offline\n'), 'a file cannot be copied out');
  note('listed, browsed, searched, edited, copied out');

  const { id: made } = await client.call('projects.create', { name: 'Made offline' });
  await client.call('projects.update', { projectId: id, name: 'Shop, renamed' });
  await client.call('projects.delete', { projectId: doomed });
  await finish(client, (await client.call('environments.open', { projectId: id })).operationId);
  await inside(client, id, ['sh', '-c', 'echo from inside > inside.txt']);
  await finish(client, (await client.call('environments.save', { projectId: id })).operationId);
  await inside(client, id, ['sh', '-c', 'echo more >> inside.txt']);
  await finish(client, (await client.call('environments.close', { projectId: id })).operationId);
  note('made, renamed, deleted, opened, saved, closed');
  await show('#/');
  for (const each of [id, made]) must(/\d+ changes? still only on this computer/.test(await at(`project-${each}`).getByTestId('sync-pending').innerText()), 'a card does not say what is only here');
  await show('#/settings');
  await page().locator('[data-testid=account][data-state=offline]').waitFor();
  const owed = (await client.call('account.status', {})).pending;
  await until('what is only here', async () => (await text('account')).includes(`${owed} changes`));
  must(owed >= 7, `only ${owed} changes are owed`);
  // Off for a while, through another start: nothing of it is forgotten.
  await stop();
  const { client: again } = await start(home);
  must((await again.call('account.status', {})).pending === owed, 'a start forgot what is owed');

  online(true);
  await show('#/settings');
  await at('sync-now').click();
  await until('everything to arrive', async () => (await again.call('account.status', {})).pending === 0, 60_000);
  await page().locator('[data-testid=account][data-state=online]').waitFor();
  await show('#/');
  for (const each of [id, made]) await at(`project-${each}`).getByTestId('sync-synced').waitFor();
  must((await again.call('sync.now', {})).pushed === 0, 'something was sent twice');
  note('online: everything is there');
  const revisions = await Promise.all([id, made, doomed].map(async (projectId) => (await again.call('history.list', { projectId })).revisions.map(({ sha256, reason }) => ({ projectId, sha256, reason }))));
  const wanted = await fileInHead(again, home, id, 'inside.txt');
  await stop();

  const other = await start();
  await other.client.call('account.configure', { project: { url: cloudUrl, publishableKey } });
  await other.client.call('account.signIn', { email: EMAIL, password: PASSWORD });
  await other.client.call('sync.now', {});
  await at(`project-${id}`).getByRole('heading', { name: 'Shop, renamed' }).waitFor();
  must(await at(`project-${doomed}`).count() === 0, 'the other computer shows what was deleted');
  const read = async (path: string): Promise<string> => { const { content } = await other.client.call('archive.file', { projectId: id, path }); return content.form === 'text' ? content.text : ''; };
  must(await read('inside.txt') === wanted && wanted === 'from inside\nmore\n', 'the other computer lacks what was saved');
  must((await read('src/app.jsx')).startsWith('// typed offline\n'), 'the other computer lacks what was typed');
  must(violations.length === 0, `the pages complained: ${violations.join('; ')}`);
  process.stdout.write(`${JSON.stringify({ owed, revisions: revisions.flat() })}\n`);
} catch (error) {
  note(`failed: ${String(error)}; ${violations.join('; ')}\n${now.vessel?.output() ?? ''}`);
  process.exitCode = 1;
} finally {
  await stop();
  for (const home of homes) await endHome(home);
  wire.close();
}
