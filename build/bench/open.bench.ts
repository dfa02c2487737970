// The whole open, as a person has it: the call until the IDE answers through the gateway, and until a typed character is on the guest's disk.
import { endHome } from '../e2e/home.ts';
import { finish, startVessel, type RunningVessel } from '../e2e/vessel.ts';
import { ideOf, launchBrowser, openInEditor } from '../e2e/browser.ts';
import { note, rounds } from './host.ts';
import { repeat, stats } from './stats.ts';

const EDITOR_DEADLINE_MS = 120_000;
/** Each question costs the guest, whose processors the editor needs meanwhile. */
const POLL_MS = 100;
const READY_POLL_MS = 1_000;

async function inGuest(vessel: RunningVessel, projectId: string, argv: readonly string[]): Promise<string> {
  let output = '';
  for await (const item of vessel.client.stream('exec.run', { projectId, argv: [...argv] })) {
    if (item.kind === 'stdout') output += Buffer.from(item.data, 'base64').toString();
  }
  return output;
}

const vessel = await startVessel();
try {
  const runs = rounds();
  await finish(vessel.client, (await vessel.client.call('hosts.provision', { hostId: 'local' })).operationId);
  const { id: projectId } = await vessel.client.call('projects.create', { name: 'bench', template: 'node' });
  const open = async (): Promise<void> => { await finish(vessel.client, (await vessel.client.call('environments.open', { projectId })).operationId); };
  const discard = async (): Promise<void> => { await finish(vessel.client, (await vessel.client.call('environments.discard', { projectId, confirm: projectId })).operationId); };
  const changes = async (): Promise<number> => (await vessel.client.call('environments.activity', { projectId })).changeCounter;
  /** The environment that is kept ready, as a person finds it who does not open one project after the other within seconds. */
  const whenReady = async (): Promise<void> => {
    while ((await vessel.client.call('hosts.refresh', { hostId: 'local' })).facts?.standby !== 'ready') await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  };
  const keepReady = (on: boolean): Promise<unknown> => vessel.client.call('settings.set', { keepReady: on });
  await open();
  await discard();
  await keepReady(false);
  const fresh = stats(await repeat(runs, open, discard));
  note(`open of a fresh clone to IDE answering through the gateway: ${fresh.median} ms`);
  await keepReady(true);
  await whenReady();
  const answering = stats(await repeat(runs, open, async () => { await discard(); await whenReady(); }));
  note(`open to IDE answering through the gateway: ${answering.median} ms`);

  const browser = await launchBrowser();
  const workbench: number[] = [];
  const files: number[] = [];
  const typed: number[] = [];
  try {
    const { page } = browser;
    page.setDefaultTimeout(EDITOR_DEADLINE_MS);
    await page.goto(vessel.url);
    const card = page.getByTestId(`project-${projectId}`);
    for (let round = -1; round < runs; round += 1) {
      await card.waitFor();
      await whenReady();
      const began = performance.now();
      await card.getByTestId('open').click();
      const ide = ideOf(page);
      await ide.locator('.monaco-workbench .part.editor').waitFor();
      const shownMs = performance.now() - began;
      await ide.locator('.monaco-workbench .explorer-folders-view .monaco-list-row').first().waitFor();
      const filesMs = performance.now() - began;
      await openInEditor(page, ide, 'greet.js', EDITOR_DEADLINE_MS);
      const mark = `x${round + 2}`;
      let seen = await changes();
      await page.keyboard.type(mark);
      const typedAt = performance.now();
      let savedAt = typedAt;
      // The agent counts changes as the kernel reports them: asking costs the guest next to nothing, unlike a command.
      for (;;) {
        const now = await changes();
        savedAt = performance.now();
        if (now === seen) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        else if ((await inGuest(vessel, projectId, ['cat', 'greet.js'])).includes(mark)) break;
        seen = now;
      }
      const typedMs = savedAt - began;
      note(`workbench ${Math.round(shownMs)} ms, its files ${Math.round(filesMs)} ms, typed and on disk ${Math.round(typedMs)} ms (${Math.round(savedAt - typedAt)} ms after the last key)`);
      // The first round fills the browser's own caches, as the first open of a day does; it is told apart.
      if (round >= 0) { workbench.push(shownMs); files.push(filesMs); typed.push(typedMs); }
      await page.evaluate('location.hash = "#/"');
      await discard();
    }
  } finally {
    await browser.close();
  }
  process.stdout.write(`${JSON.stringify({ openToAnsweringMs: answering, freshCloneToAnsweringMs: fresh, clickToWorkbenchMs: stats(workbench), clickToFilesMs: stats(files), clickToTypedAndSavedMs: stats(typed) })}\n`);
} finally {
  await vessel.stop();
  await endHome(vessel.home);
}
