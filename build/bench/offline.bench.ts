// The app without any network: start to the cached list of 1,000 projects, scrolling 10,000, and reading inside an archive of 6,000 files.
import { readdir, rm, stat, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProjectSettingsSchema } from '#shared/project.ts';
import { openDatabase } from '../../electron/core/adapters/sqlite/database.ts';
import { makeProjectTables } from '../../electron/core/adapters/sqlite/project-tables.ts';
import { launchBrowser } from '../e2e/browser.ts';
import { endHome } from '../e2e/home.ts';
import { makeTree } from '../e2e/tree.ts';
import { finish, makeHome, startVessel } from '../e2e/vessel.ts';
import { note, rounds } from './host.ts';
import { stats, timed } from './stats.ts';

const SHA = 'a'.repeat(64);

/** A home whose database holds so many projects, each with a revision; their archives are not needed for the list. */
async function homeWith(count: number): Promise<string> {
  const home = await makeHome();
  const database = openDatabase(join(home, 'vessel.db'));
  const store = makeProjectTables(database);
  const settings = ProjectSettingsSchema.parse({});
  const now = Date.now();
  // One transaction: ten thousand commits to a disk are not what is measured.
  database.transaction(() => { for (let index = 0; index < count; index += 1) {
    const id = `project-${index}`;
    store.projects.insert({ id, name: `Project ${index}`, template: 'node', hostId: 'local', createdAt: now - index * 60_000, settings });
    store.revisions.adopt({ projectId: id, rev: 1, parentRev: null, sha256: SHA, bytes: 120_000, files: 40, contentBytes: 400_000, reason: 'exit', createdAt: now - index * 60_000, verifiedAt: now, leftOut: [{ path: 'node_modules/', reason: 'made again from package.json' }] });
  } });
  database.close();
  return home;
}

/** Milliseconds between frames while the list scrolls by a good wheel's speed for three seconds. A text: it runs in the page, not here. */
const SCROLL = `new Promise((resolve) => {
  const scroller = document.querySelector('[data-scroller]');
  const frames = [];
  let last = performance.now();
  const end = last + 3000;
  const frame = (now) => {
    frames.push(now - last);
    last = now;
    scroller.scrollTop += 60;
    if (now < end) requestAnimationFrame(frame);
    else resolve(frames.slice(2));
  };
  requestAnimationFrame(frame);
})`;

async function list(count: number, times: number): Promise<object> {
  const home = await homeWith(count);
  const [started, first, again, painted]: number[][] = [[], [], [], []];
  let frames: readonly number[] = [];
  for (let round = 0; round < times; round += 1) {
    const start = await timed(() => startVessel({ home, driver: 'process' }));
    const vessel = start.value;
    const browser = await launchBrowser();
    const card = browser.page.locator('[data-project-card]').first();
    const open = await timed(async () => { await browser.page.goto(vessel.url); await card.waitFor(); });
    const reload = await timed(async () => { await browser.page.reload(); await card.waitFor(); });
    started?.push(start.ms); first?.push(open.ms); again?.push(reload.ms); painted?.push(start.ms + open.ms);
    if (round === times - 1) frames = await browser.page.evaluate(SCROLL) as readonly number[];
    note(`${count} projects: server ${Math.round(start.ms)} ms, list ${Math.round(open.ms)} ms, reload ${Math.round(reload.ms)} ms`);
    await browser.close();
    await vessel.stop();
  }
  await endHome(home);
  const frame = stats(frames);
  return { projects: count, serverMs: stats(started ?? []), listMs: stats(first ?? []), reloadMs: stats(again ?? []), startToListMs: stats(painted ?? []), scroll: { framesPerSecond: Math.round(10_000 / (frames.reduce((sum, ms) => sum + ms, 0) / frames.length)) / 10, frameMs: frame, over20ms: frames.filter((ms) => ms > 20).length, frames: frames.length } };
}

async function archive(): Promise<object> {
  const vessel = await startVessel({ driver: 'process' });
  const scratch = await mkdtemp(join(tmpdir(), 'vsl-bench-tree-'));
  try {
    const tree = join(scratch, 'tree');
    await makeTree(tree);
    const { client } = vessel;
    const { projectId, operationId } = await client.call('projects.import', { path: tree, name: 'tree' });
    await finish(client, operationId);
    const cold = await timed(() => client.call('archive.tree', { projectId }));
    const warm = await timed(() => client.call('archive.tree', { projectId }));
    const some = (await client.call('archive.tree', { projectId, folder: cold.value.entries[0]?.path ?? '' })).entries.find((entry) => entry.kind === 'file');
    const file = await timed(() => client.call('archive.file', { projectId, path: some?.path ?? '' }));
    let hits = 0;
    const search = await timed(async () => { for await (const item of client.stream('archive.search', { projectId, query: 'no such text anywhere' })) if (item.kind === 'line') hits += 1; });
    const check = await timed(async () => finish(client, (await client.call('store.check', {})).operationId));
    return { files: cold.value.totals.files, bytes: cold.value.totals.bytes, firstFolderMs: Math.round(cold.ms * 10) / 10, nextFolderMs: Math.round(warm.ms * 10) / 10, fileMs: Math.round(file.ms * 10) / 10, wholeSearchMs: Math.round(search.ms), hits, fsckMs: Math.round(check.ms) };
  } finally {
    await vessel.stop();
    await endHome(vessel.home);
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What the browser loads for the list, and what only a first open file adds. */
async function bundle(): Promise<object> {
  const folder = join(import.meta.dirname, '../../out/renderer/assets');
  const sizes = new Map<string, number>();
  for (const name of await readdir(folder)) sizes.set(name, (await stat(join(folder, name))).size);
  const sum = (pattern: RegExp): number => [...sizes].filter(([name]) => pattern.test(name)).reduce((total, [, size]) => total + size, 0);
  return { appBytes: sum(/^index-/), editorBytes: sum(/^editor-(?!worker).*\.(?:js|css)$/), editorWorkerBytes: sum(/^editor-worker-/), allBytes: sum(/./) };
}

const times = rounds(3);
const result = { list: await list(1000, times), large: await list(10_000, 1), archive: await archive(), bundle: await bundle() };
process.stdout.write(`${JSON.stringify(result)}\n`);
