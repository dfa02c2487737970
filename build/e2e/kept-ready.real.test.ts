import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cannotRunMachines } from '../../host-scripts/real-host.test-helper.ts';
import { describeUnless } from '../testing/describe-unless.ts';
import { launchBrowser, openInEditor, type TestBrowser } from './browser.ts';
import { endHome, fileInHead, inside, remainsOf } from './home.ts';
import { agentOf, unlessGone, until } from './processes.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

/** VS Code inside an emulated guest, on a machine that may be busy. */
const PATIENCE_MS = 120_000;

/** As it comes out of the box, one clone is kept ready; the other journeys run without one, to meet fresh clones. Here nobody waits for a calm moment to make it. */
describeUnless(cannotRunMachines(), 'with an environment kept ready', () => {
  let vessel: RunningVessel;
  let browser: TestBrowser;
  const kept = async (): Promise<readonly string[]> => await unlessGone(() => readdir(join(vessel.home, 'host', 'standby'))) ?? [];
  const ready = (): Promise<void> => until(async () => (await vessel.client.call('hosts.refresh', { hostId: 'local' })).facts?.standby === 'ready', 'an environment to be kept ready', PATIENCE_MS, 200);

  beforeAll(async () => {
    vessel = await startVessel({ env: { VESSEL_STANDBY: 'eager' } });
    browser = await launchBrowser();
    await finish(vessel.client, (await vessel.client.call('hosts.provision', { hostId: 'local' })).operationId);
  }, 20 * 60_000);
  afterAll(async () => {
    await browser.close();
    await vessel.stop();
    await endHome(vessel.home);
  });

  it('opens it as the project\'s own, hands a browser its loaded extension host, saves, and leaves nothing', async () => {
    const { client } = vessel;
    await ready();
    expect(await client.call('projects.list', {})).toMatchObject({ projects: [] });
    const { id: projectId } = await client.call('projects.create', { name: 'Kept', template: 'node' });
    const { operation } = await finish(client, (await client.call('environments.open', { projectId })).operationId);
    expect(operation.result).toMatchObject({ startKind: 'clone', timings: expect.arrayContaining([expect.objectContaining({ stage: 'adopt' })]) as unknown });
    expect((await inside(client, projectId, ['sh', '-c', 'hostname; whoami; pwd; ls'])).trim().split('\n')).toEqual(expect.arrayContaining([projectId, 'workspace', '/home/workspace', 'package.json']) as unknown);

    const { url } = await client.call('environments.url', { projectId, frame: false });
    const page: Page = await browser.context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(url);
    await openInEditor(page, page as never, 'server.js', PATIENCE_MS);
    await page.keyboard.type('// typed at once');
    await until(async () => (await inside(client, projectId, ['tail', '-1', 'server.js'])).includes('// typed at once'), 'the words on the disk of the guest', PATIENCE_MS, 500);
    // Only processes that were started ahead, in the template, carry the text by which they learn late in which environment they are; others carry other texts.
    const hosts = await inside(client, projectId, ['sh', '-c', 'for p in $(pgrep -f "type=[e]xtensionHost"); do grep -caz "^data:text/javascript.*VESSEL_ENVIRONMENT" /proc/$p/cmdline; done']);
    expect(hosts.trim().split('\n')).toEqual(['1']);
    await page.close();

    await finish(client, (await client.call('environments.close', { projectId })).operationId);
    expect(await fileInHead(client, vessel.home, projectId, 'server.js')).toContain('// typed at once');
    await client.call('settings.set', { keepReady: false });
    await until(async () => (await kept()).length === 0, 'the one that was kept to be given up', PATIENCE_MS, 200);
    const agent = await agentOf(vessel.pid);
    expect(await remainsOf(vessel.home, [projectId], [vessel.pid, ...(agent === null ? [] : [agent])])).toEqual([]);
  });

  it('keeps one again when it is asked to, and gives it up when Vessel ends', async () => {
    await vessel.client.call('settings.set', { keepReady: true });
    await ready();
    expect(await kept()).toHaveLength(1);
    await vessel.stop();
    expect(await kept()).toEqual([]);
    expect(await remainsOf(vessel.home, [], [])).toEqual([]);
  });
});
