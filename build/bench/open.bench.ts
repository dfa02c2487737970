// The whole open, as a person has it: the call until the IDE answers through the gateway, and until a typed character is on the guest's disk.
import { setTimeout as delay } from 'node:timers/promises';
import type { Frame, Page } from 'playwright-core';
import { endHome } from '../e2e/home.ts';
import { finish, startVessel, type RunningVessel } from '../e2e/vessel.ts';
import { ideOf, launchBrowser } from '../e2e/browser.ts';
import { note, rounds } from './host.ts';
import { repeat, stats } from './stats.ts';

const EDITOR_DEADLINE_MS = 120_000;
/** Each question costs the guest, whose processors the editor needs meanwhile; none is asked while VS Code waits before it saves (`files.autoSaveDelay`). */
const POLL_MS = 100;
const AUTOSAVE_MS = 300;
const LOOK_MS = 50;
const READY_POLL_MS = 1_000;

async function inGuest(vessel: RunningVessel, projectId: string, argv: readonly string[]): Promise<string> {
  let output = '';
  for await (const item of vessel.client.stream('exec.run', { projectId, argv: [...argv] })) {
    if (item.kind === 'stdout') output += Buffer.from(item.data, 'base64').toString();
  }
  return output;
}

/** Waits for an expression in the page to be true, and resolves with it. A look is one question; a locator asks a busy page a dozen before it clicks. */
const inPage = async (frame: Frame, expression: string): Promise<unknown> => (await frame.waitForFunction(expression, undefined, { polling: LOOK_MS })).jsonValue();

/** Opens a file as a hand does, with a double click where its row shows. Resolves when the cursor stands in its text; tells when its row showed. */
async function openByHand(page: Page, frame: Frame, file: string): Promise<{ readonly rowAt: number }> {
  const name = JSON.stringify(file);
  const row = await inPage(frame, `(() => { const row = [...document.querySelectorAll('.explorer-folders-view .monaco-list-row')].find((one) => one.textContent.includes(${name})); const box = row?.getBoundingClientRect(); return box && [box.x + 60, box.y + box.height / 2]; })()`) as readonly [number, number];
  const rowAt = performance.now();
  const box = await (await frame.frameElement()).boundingBox();
  await page.mouse.dblclick((box?.x ?? 0) + row[0], (box?.y ?? 0) + row[1]);
  const editor = `.monaco-editor[data-uri$=${JSON.stringify(`/${file}`)}]`;
  await inPage(frame, `document.activeElement?.closest(${JSON.stringify(editor)})?.querySelector('.view-line') != null`);
  return { rowAt };
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
    while ((await vessel.client.call('hosts.refresh', { hostId: 'local' })).facts?.standby !== 'ready') await delay(READY_POLL_MS);
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
      await ideOf(page).locator('.monaco-workbench .part.editor').waitFor();
      const shownMs = performance.now() - began;
      const before = changes();
      const frame = page.frames().find((one) => one.parentFrame() === page.mainFrame());
      if (frame === undefined) throw new Error('the window has no editor');
      const { rowAt } = await openByHand(page, frame, 'greet.js');
      const filesMs = rowAt - began;
      const mark = `x${round + 2}`;
      let seen = await before;
      await page.keyboard.type(mark);
      const typedAt = performance.now();
      await delay(AUTOSAVE_MS);
      let savedAt = typedAt;
      // The agent counts changes as the kernel reports them: asking costs the guest next to nothing, unlike a command.
      for (;;) {
        const now = await changes();
        savedAt = performance.now();
        if (now === seen) await delay(POLL_MS);
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
