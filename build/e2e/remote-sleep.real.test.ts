import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { describeUnless } from '../testing/describe-unless.ts';
import { whyNoSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { launchBrowser, openInEditor, type TestBrowser } from './browser.ts';
import { endHome, fileInHead, inside, remainsOf } from './home.ts';
import { startLoopbackHost, type LoopbackHost } from './loopback-host.ts';
import { until } from './processes.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

/** VS Code inside an emulated guest, on a machine that may be busy. */
const PATIENCE_MS = 120_000;
const WORDS = 'words that nobody saved';
/** Counts how often the words stood in a tab without its mark: VS Code then works with other settings than the folder's, and would save by itself. */
const WATCH_TABS = `globalThis.shownAsSaved = 0;
  new MutationObserver(() => {
    const lines = document.querySelector('.monaco-editor .view-lines');
    if (lines !== null && lines.textContent.includes('nobody') && document.querySelector('.tab.dirty') === null) globalThis.shownAsSaved += 1;
  }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });`;

describeUnless(whyNoSshd(), 'VS Code in an environment that its host puts to sleep', () => {
  let far: LoopbackHost;
  let vessel: RunningVessel;
  let browser: TestBrowser;
  let page: Page;
  let projectId = '';
  beforeAll(async () => {
    far = await startLoopbackHost({ driver: 'qemu' });
    vessel = await startVessel({ env: far.env });
    browser = await launchBrowser();
    const { client } = vessel;
    const { id: hostId } = await far.addTo(client);
    await finish(client, (await client.call('hosts.provision', { hostId: 'local' })).operationId);
    projectId = (await client.call('projects.create', { name: 'Sleeper', template: 'node', hostId })).id;
    await run('open');
    // Else VS Code saves by itself within a blink, and nothing would ever be unsaved.
    await inside(client, projectId, ['sh', '-c', 'mkdir -p .vscode && echo \'{"files.autoSave":"off"}\' > .vscode/settings.json']);
    page = await browser.context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
  });
  afterAll(async () => {
    await browser.close();
    await vessel.stop();
    await endHome(vessel.home);
    await far.stop();
  });

  const run = async (verb: 'open' | 'save' | 'close'): Promise<unknown> => (await finish(vessel.client, (await vessel.client.call(`environments.${verb}`, { projectId })).operationId)).operation.result;
  const state = async (): Promise<string | undefined> => (await vessel.client.call('projects.get', { projectId })).environment?.state;
  const guest = (script: string): Promise<string> => inside(vessel.client, projectId, ['sh', '-c', script]);
  const shown = async (): Promise<string> => (await page.locator('.monaco-editor .view-lines').first().innerText()).replaceAll('\u00a0', ' ');
  const unsavedTabs = (): Promise<number> => page.locator('.tab.dirty').count();
  const command = async (line: string): Promise<void> => { await page.locator('.terminal.xterm').first().click(); await page.keyboard.type(`${line}\n`); };
  /** The desktop is killed; once its agent has ended the host's timer comes round; the desktop comes back and opens the environment. */
  async function sleepAndWake(): Promise<void> {
    const { home, file: { port } } = vessel;
    await vessel.kill9();
    await until(async () => (await far.agents()).length === 0, 'the agent of the killed desktop to end');
    await far.sleeps(projectId);
    vessel = await startVessel({ home, port, env: far.env });
    await until(async () => await state() === 'hibernated', 'it to be found asleep', 60_000);
    await run('open');
  }

  it('has a terminal and a file that is not saved', async () => {
    await page.goto((await vessel.client.call('environments.url', { projectId, frame: false })).url);
    await page.locator('.monaco-workbench .part.editor').waitFor();
    await openInEditor(page, page as never, 'server.js', PATIENCE_MS);
    await page.keyboard.type(`// ${WORDS}`);
    await page.keyboard.press('Control+Backquote');
    await page.locator('.terminal.xterm').first().waitFor();
    await command('kept=shell-$$; echo $kept > /tmp/before');
    await until(async () => (await guest('cat /tmp/before 2>/dev/null || true')).startsWith('shell-'), 'the shell to answer', PATIENCE_MS, 500);
    expect(await shown()).toContain(WORDS);
    expect(await unsavedTabs()).toBe(1);
    expect(await guest('cat server.js')).not.toContain(WORDS);
  });

  it('shows both as they were, in a page that stayed open over the sleep', async () => {
    await page.evaluate('window.neverReloaded = true');
    await sleepAndWake();
    // It answers again only once the page has found its way back by itself.
    await until(async () => { await command('echo $kept > /tmp/after'); return (await guest('cat /tmp/after 2>/dev/null || true')) === await guest('cat /tmp/before'); }, 'the same shell to answer', PATIENCE_MS, 2_000);
    expect(await page.evaluate('window.neverReloaded')).toBe(true);
    expect(await shown()).toContain(WORDS);
    expect(await unsavedTabs()).toBe(1);
    expect(await guest('cat server.js')).not.toContain(WORDS);
  });

  it('shows both as they were, in a page that is opened anew after a sleep', async () => {
    await page.close();
    await sleepAndWake();
    page = await browser.context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.addInitScript(WATCH_TABS);
    await page.goto((await vessel.client.call('environments.url', { projectId, frame: false })).url);
    await page.locator('.monaco-editor .view-lines').first().waitFor();
    await until(async () => (await shown()).includes(WORDS), 'the unsaved words', PATIENCE_MS, 500);
    expect(await unsavedTabs()).toBe(1);
    expect(await page.evaluate('shownAsSaved')).toBe(0);
    expect(await guest('cat server.js')).not.toContain(WORDS);
    await guest('rm /tmp/after');
    await page.locator('.terminal.xterm').first().waitFor();
    await until(async () => { await command('echo $kept > /tmp/after'); return (await guest('cat /tmp/after 2>/dev/null || true')) === await guest('cat /tmp/before'); }, 'the same shell to answer', PATIENCE_MS, 2_000);
  });

  it('is saved by a person after all that, and ended with nothing left there', async () => {
    await page.locator('.monaco-editor .view-lines').first().click();
    await page.keyboard.press('Control+s');
    await until(async () => (await guest('cat server.js')).includes(WORDS), 'the words on the disk of the guest', PATIENCE_MS, 500);
    await page.close();
    await run('close');
    expect(await fileInHead(vessel.client, vessel.home, projectId, 'server.js')).toContain(WORDS);
    expect(await remainsOf(far.home, [projectId], await far.agents())).toEqual([]);
  });
});
