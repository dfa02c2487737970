import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium, type FrameLocator, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../build/testing/describe-unless.ts';
import { makeKey, me, scratch, startCutter, startSshd, whyNoSshd, type Cutter, type Sshd } from '../electron/core/adapters/ssh/testing/sshd.ts';
import { type RealVessel, startRealVessel } from './testing/real-vessel.ts';

/**
 * A project on a host over SSH as the window shows it: opened there, cut off, back again, moved. Real server, sshd and VS Code; the
 * host's guests are plain processes, and its infra-agent is told instead of provisioned.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const why = whyNoSshd();

describeUnless(why, 'a project on another host', () => {
  let folder: string;
  let vessel: RealVessel;
  let browser: Browser;
  let page: Page;
  let sshd: Sshd;
  let wire: Cutter;
  const problems: string[] = [];
  const at = (id: string): ReturnType<Page['getByTestId']> => page.getByTestId(id);
  const card = (): ReturnType<Page['locator']> => page.locator('[data-project-card]', { has: page.getByRole('heading', { name: 'Far away', exact: true }) });
  const ide = (): FrameLocator => page.frameLocator('[data-testid=ide-frame]');
  const go = async (hash: string): Promise<void> => { await page.evaluate((to) => { window.location.hash = to; }, hash); };

  beforeAll(async () => {
    for (const part of ['window', 'host']) await promisify(execFile)(process.execPath, ['build/build.mjs', part], { cwd: root });
    folder = scratch();
    const key = makeKey(folder, 'person');
    sshd = await startSshd({ authorized: [key.publicLine] });
    wire = await startCutter(sshd.port);
    const settings = { VESSEL_HOME: join(folder, 'far'), VESSEL_CACHE: join(folder, 'far-cache'), VESSEL_DRIVER: 'process', VESSEL_UNSAFE_PROCESS_DRIVER: '1' };
    vessel = await startRealVessel({ VESSEL_REMOTE_AGENT: JSON.stringify(['/usr/bin/env', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`), process.execPath, join(root, 'out/host/infra-agent.mjs'), '--home', settings.VESSEL_HOME]) });
    browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
    page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' })).newPage();
    page.setDefaultTimeout(30_000);
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(vessel.url);
    await go('#/add-host');
    await at('host-target').fill(`${me}@127.0.0.1:${wire.port}`);
    await at('host-name').fill('Far box');
    await at('host-identity').fill(key.path);
    await at('add-host-connect').click();
    await at('trust-typed').fill(sshd.hostKey.fingerprint);
    await at('trust').click();
    await page.getByRole('heading', { name: 'Far box', exact: true }).waitFor();
  });
  afterAll(async () => {
    await browser.close();
    await vessel.stop();
    await wire.close();
    await sshd.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is made for a host and opened there, with a card that says where', async () => {
    await page.getByText('Ready', { exact: true }).first().waitFor();
    await at('accelerator').waitFor();
    await go('#/new');
    await at('project-name').fill('Far away');
    await at('choose-host').selectOption({ label: `Far box (${me}@127.0.0.1:${wire.port})` });
    await at('create-open').click();
    await at('ide-frame').waitFor();
    await ide().locator('.monaco-workbench').waitFor();
    await go('#/');
    expect(await card().getByTestId('card-host').textContent()).toBe('on Far box');
    expect(await card().getByTestId('state').textContent()).toContain('Running');
  });

  it('keeps VS Code on the screen while the host is away, says so, and goes on when it is back', async () => {
    await card().getByTestId('resume').click();
    await ide().locator('.monaco-workbench').waitFor();
    wire.cut();
    await page.locator('[data-testid=host-away][data-state=away]').waitFor();
    expect(await at('host-away').textContent()).toMatch(/^Reconnecting to Far box\. Far away keeps running there/);
    expect(await at('safe-copy').textContent()).toBe('Reconnecting to Far box');
    expect(await at('save-exit').isDisabled()).toBe(true);
    expect(await ide().locator('.monaco-workbench').isVisible()).toBe(true);
    wire.mend();
    await page.locator('[data-testid=host-away][data-state=back]').waitFor();
    await expect.poll(() => at('save-exit').isDisabled()).toBe(false);
    expect(await ide().locator('.monaco-workbench').isVisible()).toBe(true);
  });

  it('waits with its reason instead of a dead page when the window is opened meanwhile, and lets in by itself', async () => {
    wire.cut();
    await page.locator('[data-testid=host-away][data-state=away]').waitFor();
    await page.reload();
    await at('host-away-page').waitFor();
    expect(await at('host-away-page').textContent()).toMatch(/Reconnecting to Far box.*keeps running there/);
    await go('#/');
    await card().getByText('Running · reconnecting to Far box').waitFor();
    expect(await card().getByTestId('save-exit').count()).toBe(0);
    await go('#/hosts');
    await page.getByText('Reconnecting', { exact: true }).waitFor();
    await page.goBack();
    await card().getByTestId('resume').click();
    await at('host-away-page').waitFor();
    wire.mend();
    await ide().locator('.monaco-workbench').waitFor();
  });

  it('is saved and ended there, then moved, then opened on the chosen host', async () => {
    await at('save-exit').click();
    await at('save-proof').waitFor();
    await at('done-back').click();
    await card().getByText('Stored').waitFor();
    await card().getByTestId('project-menu').click();
    await card().getByTestId('menu-open-on').click();
    expect(await at('open-on-dialog').textContent()).toContain('It is on Far box now');
    await at('move-only').click();
    await page.getByText('Far away moved to This computer').waitFor();
    await card().getByTestId('card-host').waitFor({ state: 'detached' });
    await card().getByTestId('project-menu').click();
    await card().getByTestId('menu-open-on').click();
    await at('open-there').click();
    await ide().locator('.monaco-workbench').waitFor();
    await go('#/');
    expect(await card().getByTestId('card-host').textContent()).toBe('on Far box');
    await card().getByTestId('project-menu').click();
    expect(await card().getByTestId('menu-open-on').isDisabled()).toBe(true);
    await page.keyboard.press('Escape');
    await card().getByTestId('save-exit').click();
    await at('save-proof').waitFor();
  });

  it('threw no error on the way', () => expect(problems).toEqual([]));
});
