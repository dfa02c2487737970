import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import type { Page } from 'playwright-core';
import { whyNoSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { launchBrowser, openInEditor, type TestBrowser } from './browser.ts';
import { endHome, fileInHead, inside, remainsOf } from './home.ts';
import { startLoopbackHost, type LoopbackHost } from './loopback-host.ts';
import { until } from './processes.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

/** VS Code inside an emulated guest, on a machine that may be busy. */
const PATIENCE_MS = 120_000;

describeUnless(whyNoSshd(), 'VS Code on a host over SSH', () => {
  let far: LoopbackHost;
  let vessel: RunningVessel;
  let browser: TestBrowser;
  beforeAll(async () => {
    far = await startLoopbackHost({ driver: 'qemu' });
    vessel = await startVessel({ env: far.env });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await vessel.stop();
    await endHome(vessel.home);
    await far.stop();
  });

  it('is typed into through <id>.localhost in a real browser, outlives a broken line, and is saved here with nothing left there', async () => {
    const { client } = vessel;
    const { id: hostId } = await far.addTo(client);
    await finish(client, (await client.call('hosts.provision', { hostId: 'local' })).operationId);
    expect((await client.call('hosts.refresh', { hostId })).status).toBe('ready');
    const { id: projectId } = await client.call('projects.create', { name: 'Far away', template: 'node', hostId });
    const { operation } = await finish(client, (await client.call('environments.open', { projectId })).operationId);
    expect(operation.result).toMatchObject({ startKind: 'clone' });

    const { url, origin } = await client.call('environments.url', { projectId, frame: false });
    const page: Page = await browser.context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(url);
    await page.locator('.monaco-workbench .part.editor').waitFor();
    expect(new URL(page.url()).origin).toBe(origin);
    await openInEditor(page, page as never, 'server.js', PATIENCE_MS);
    await page.keyboard.type('// typed far away');
    await until(async () => (await inside(client, projectId, ['tail', '-1', 'server.js'])).includes('// typed far away'), 'the first words on the disk of the guest', PATIENCE_MS, 500);

    let size = '';
    for await (const item of client.stream('exec.run', { projectId, argv: ['sh', '-c', 'test -t 0 && stty size'], pty: { cols: 91, rows: 17 } })) if (item.kind === 'stdout') size += Buffer.from(item.data, 'base64').toString();
    expect(size.trim()).toBe('17 91');

    far.wire.cut();
    await until(async () => (await client.call('projects.get', { projectId })).environment?.connection === 'reconnecting', 'the line to be missed');
    await page.keyboard.type(' and while the line was down');
    far.wire.mend();
    await until(async () => (await client.call('projects.get', { projectId })).environment?.connection === undefined, 'the line to be back', 60_000);
    await until(async () => (await inside(client, projectId, ['tail', '-1', 'server.js'])).includes('while the line was down'), 'the editor to reconnect and save', PATIENCE_MS, 500);
    await page.close();

    await finish(client, (await client.call('environments.close', { projectId })).operationId);
    expect(await fileInHead(client, vessel.home, projectId, 'server.js')).toContain('// typed far away and while the line was down');
    expect(await remainsOf(far.home, [projectId], await far.agents())).toEqual([]);
  });
});
