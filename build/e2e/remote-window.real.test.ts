import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import { ideOf, launchBrowser, openInEditor, type TestBrowser } from './browser.ts';
import { endHome, fileInHead, inside } from './home.ts';
import { differences, inventory, type Inventory } from './machine-inventory.ts';
import { until } from './processes.ts';
import { startRemoteMachine, whyNoMachine, type RemoteMachine } from './remote-machine.ts';
import { finish, startVessel, type RunningVessel } from './vessel.ts';

const why = whyNoMachine();

/** Provisioning boots and freezes a machine in emulation; VS Code comes out of one. */
const PATIENCE_MS = 280_000;
const TYPED = '// typed on a machine that was bare a moment ago';

describeUnless(why, 'a fresh machine over SSH, from the window alone', () => {
  let vessel: RunningVessel;
  let browser: TestBrowser;
  let box: RemoteMachine;
  let before: Inventory;
  const at = (id: string): ReturnType<TestBrowser['page']['getByTestId']> => browser.page.getByTestId(id);
  const go = async (hash: string): Promise<void> => { await browser.page.evaluate(`location.hash = ${JSON.stringify(hash)}`); };
  const project = async (): Promise<string> => (await vessel.client.call('projects.list', {})).projects[0]?.id ?? '';

  beforeAll(async () => {
    vessel = await startVessel({ env: { SSH_AUTH_SOCK: '' } });
    // This computer's image is what is sent.
    await finish(vessel.client, (await vessel.client.call('hosts.provision', { hostId: 'local' })).operationId);
    box = await startRemoteMachine({ login: 'password' });
    before = await inventory(box);
    browser = await launchBrowser();
    browser.page.setDefaultTimeout(PATIENCE_MS);
    await browser.page.goto(vessel.url);
  });
  afterAll(async () => {
    await browser.close();
    await vessel.stop();
    await box.stop();
    await endHome(vessel.home);
  });

  it('is added once its key was compared', async () => {
    await go('#/hosts');
    await at('add-host').click();
    await at('host-target').fill(box.target);
    await at('host-name').fill('Box');
    await at('host-identity').fill(box.key.path);
    await at('add-host-connect').click();
    await at('trust-typed').fill(box.hostKey.fingerprint);
    await at('trust').click();
    await browser.page.getByRole('heading', { name: 'Box', exact: true }).waitFor();
    expect(differences(before, await inventory(box))).toEqual([]);
  });

  it('becomes a host with one click and the password of sudo', async () => {
    await at('provision').click();
    await at('prompt-field-0').fill(box.password);
    await at('prompt-send').click();
    await at('totals').waitFor();
    expect((await vessel.client.call('hosts.refresh', { hostId: 'box' })).status).toBe('ready');
  });

  it('runs an environment that is typed into in VS Code, and saved here', async () => {
    await go('#/new');
    await at('project-name').fill('Far away');
    await at('choose-host').selectOption({ value: 'box' });
    await at('choice-node').click();
    await at('create-open').click();
    const ide = ideOf(browser.page);
    await ide.locator('.monaco-workbench').waitFor();
    await openInEditor(browser.page, ide, 'server.js', PATIENCE_MS);
    await browser.page.keyboard.type(TYPED);
    const projectId = await project();
    await until(async () => (await inside(vessel.client, projectId, ['tail', '-1', 'server.js'])).includes(TYPED), 'the words on the disk of the guest', PATIENCE_MS, 500);
    await at('save-exit').click();
    await at('save-proof').waitFor();
    expect(await fileInHead(vessel.client, vessel.home, projectId, 'server.js')).toContain(TYPED);
  });

  it('is given back as it was, with the proof on the screen', async () => {
    await vessel.client.call('hosts.refresh', { hostId: 'box' });
    await go('#/hosts/box');
    await at('unprovision').click();
    await at('unprovision-confirm').fill('box');
    await at('confirm-unprovision').click();
    await at('unprovision-proof').waitFor();
    expect(differences(before, await inventory(box))).toEqual([]);
    expect(vessel.output()).not.toContain(box.password);
  });
});
