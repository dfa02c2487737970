import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Frame, Locator } from 'playwright-core';
import { fileInHead, endHome, inside } from './home.ts';
import { launchBrowser, openInEditor, type TestBrowser } from './browser.ts';
import { until } from './processes.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

/** VS Code inside an emulated guest, on a machine that may be busy. */
const PATIENCE_MS = 120_000;

/** Real guests, a real browser: VS Code that was loaded behind the list is the one that comes up. */
describe('the editor that waits before its project is opened', () => {
  let vessel: RunningVessel;
  let browser: TestBrowser;
  let other = '';
  let recent = '';
  const frameElement = (): Locator => browser.page.locator('[data-testid=ide-frame]');
  const openButton = (projectId: string): Locator => browser.page.getByTestId(`project-${projectId}`).getByTestId('open');
  const create = async (name: string): Promise<string> => (await vessel.client.call('projects.create', { name, template: 'node' })).id;
  const discard = async (projectId: string): Promise<void> => { await finish(vessel.client, (await vessel.client.call('environments.discard', { projectId, confirm: projectId })).operationId); };
  const show = (hash: string): Promise<unknown> => browser.page.evaluate(`location.hash = "${hash}"`);

  /** The page of VS Code for a project once all of its code has come, marked so that it would be missed. */
  async function waitingFrame(name: string): Promise<Frame> {
    await browser.page.locator(`iframe[title="VS Code: ${name}"]`).waitFor({ state: 'attached', timeout: PATIENCE_MS });
    const frame = await (await frameElement().elementHandle())?.contentFrame();
    if (frame === null || frame === undefined) throw new Error('there is no frame');
    await frame.waitForFunction('performance.getEntriesByType("resource").some(({ name, responseEnd }) => name.endsWith("/workbench.js?gate") && responseEnd > 0)', undefined, { timeout: PATIENCE_MS });
    await frame.evaluate('window.waited = true');
    return frame;
  }

  beforeAll(async () => {
    vessel = await startVessel();
    await finish(vessel.client, (await vessel.client.call('hosts.provision', { hostId: 'local' })).operationId);
    other = await create('Other');
    recent = await create('Recent');
    browser = await launchBrowser();
    browser.page.setDefaultTimeout(PATIENCE_MS);
    await browser.page.goto(vessel.url);
  });
  afterAll(async () => {
    await browser.close();
    await vessel.stop();
    await endHome(vessel.home);
  });

  it('is that of the project used last, does nothing by itself, and comes up with the click', async () => {
    const frame = await waitingFrame('Recent');
    expect(await frameElement().isVisible()).toBe(false);
    expect(await frame.evaluate('document.querySelector(".monaco-workbench")')).toBeNull();
    expect((await vessel.client.call('projects.get', { projectId: recent })).environment).toBeNull();
    await openButton(recent).click();
    await frame.locator('.monaco-workbench .part.editor').waitFor();
    expect(await frame.evaluate('[window.waited, location.search]')).toEqual([true, '?folder=/home/workspace']);
    await openInEditor(browser.page, frame as never, 'greet.js', PATIENCE_MS);
    await browser.page.keyboard.type('// typed into the page that waited');
    await until(async () => (await inside(vessel.client, recent, ['cat', 'greet.js'])).includes('page that waited'), 'the words on the disk of the guest', PATIENCE_MS, 500);
    await finish(vessel.client, (await vessel.client.call('environments.close', { projectId: recent })).operationId);
    expect(await fileInHead(vessel.client, vessel.home, recent, 'greet.js')).toContain('page that waited');
  });

  it('is that of the project somebody points at', async () => {
    await show('#/');
    await waitingFrame('Recent');
    await openButton(other).hover();
    const frame = await waitingFrame('Other');
    await openButton(other).click();
    await frame.locator('.monaco-workbench .part.editor').waitFor();
    expect(await frame.evaluate('window.waited')).toBe(true);
    await show('#/');
    await discard(other);
  });

  it('is left behind for a project that is opened without it', async () => {
    await waitingFrame('Other');
    await vessel.client.call('environments.open', { projectId: recent }).then(({ operationId }) => finish(vessel.client, operationId));
    await show(`#/projects/${recent}`);
    await browser.page.locator('iframe[title="VS Code: Recent"]').waitFor();
    await browser.page.frameLocator('[data-testid=ide-frame]').locator('.monaco-workbench .part.editor').waitFor();
    await show('#/');
    await discard(recent);
  });

  it('is none once the setting is off', async () => {
    await frameElement().waitFor({ state: 'attached' });
    await vessel.client.call('settings.set', { keepReady: false });
    await frameElement().waitFor({ state: 'detached' });
  });
});
