import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { WorkspaceOutSummarySchema, type GuestActivity, type WorkspaceOutSummary } from '#shared/guest-protocol.ts';
import { ChangeCounter } from './change-counter.ts';
import { startTestAgent, TEST_TOKEN, type TestAgent } from '../testing/start-agent.ts';

let agent: TestAgent;
beforeAll(async () => { agent = await startTestAgent(); });
afterAll(async () => { await agent.stop(); });
const clear = (): void => { for (const name of readdirSync(agent.workspace, 'buffer')) rmSync(Buffer.concat([Buffer.from(`${agent.workspace}/`), name]), { recursive: true }); };
beforeEach(clear);

const inside = (...parts: readonly string[]): string => join(agent.workspace, ...parts);
async function save(preset = 'safe', rules: readonly string[] = []): Promise<{ readonly zip: Buffer; readonly summary: WorkspaceOutSummary }> {
  const answer = await agent.call('/_vessel/v1/workspace/save', { method: 'POST', body: JSON.stringify({ exclude: { preset, rules } }) });
  expect(answer.status, answer.body.subarray(0, 500).toString()).toBe(200);
  return { zip: answer.body, summary: WorkspaceOutSummarySchema.parse(JSON.parse(Buffer.from(answer.trailers['x-vessel-summary'] ?? '', 'base64url').toString())) };
}
const put = (zip: Buffer, query = 'links=keep'): ReturnType<TestAgent['call']> => agent.call(`/_vessel/v1/workspace?${query}`, { method: 'PUT', body: zip });
const activity = (): Promise<GuestActivity> => agent.json('/_vessel/v1/activity');

/** Everything that must come back: kind, mode, content, target, time to the microsecond. */
function describeTree(root: string): ReadonlyMap<string, string> {
  const seen = new Map<string, string>();
  const visit = (path: Buffer, relative: string): void => {
    for (const name of readdirSync(path, 'buffer')) {
      const inner = Buffer.concat([path, Buffer.from('/'), name]);
      const stat = lstatSync(inner);
      const key = `${relative}/${name.toString('latin1')}`;
      const time = Math.round(stat.mtimeMs * 1000);
      const what = stat.isFile() ? crc32(readFileSync(inner)) : stat.isSymbolicLink() ? readlinkSync(inner) : '';
      seen.set(key, `${stat.mode.toString(8)} ${stat.isDirectory() ? '' : stat.size} ${what} ${time}`);
      if (stat.isDirectory()) visit(inner, key);
    }
  };
  visit(Buffer.from(root), '');
  return seen;
}

function makeOddTree(root: string, files: number): void {
  for (let index = 0; index < files; index += 1) {
    const folder = join(root, `pack ${index % 40}`, `größe-${index % 7}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `datei ${index}.ts`), `export const x${index} = '${'y'.repeat(index % 900)}';\n`, { mode: index % 9 === 0 ? 0o755 : 0o644 });
  }
  writeFileSync(join(root, 'new\nline'), 'newline');
  writeFileSync(join(root, 'back\\slash "quoted" \u{1f680}'), 'odd');
  writeFileSync(join(root, '-rf'), '');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/bytes-`), Buffer.from([0xff, 0xfe])]), 'not utf-8');
  writeFileSync(join(root, 'large.bin'), Buffer.alloc(9_000_000, 'large'));
  writeFileSync(join(root, 'exactly-4MiB.bin'), Buffer.alloc(4 * 1024 * 1024, 1));
  mkdirSync(join(root, 'deep/'.repeat(60)), { recursive: true });
  mkdirSync(join(root, 'empty', 'emptier'), { recursive: true });
  mkdirSync(join(root, 'read-only'));
  writeFileSync(join(root, 'read-only', 'secret'), 'x', { mode: 0o400 });
  chmodSync(join(root, 'read-only'), 0o555);
  symlinkSync('pack 0', join(root, 'link'));
  symlinkSync('/etc/hostname', join(root, 'absolute'));
  symlinkSync('nowhere/at all', join(root, 'dangling'));
  utimesSync(join(root, 'large.bin'), 1_600_000_000.123456, 1_600_000_000.123456);
  utimesSync(join(root, 'new\nline'), 5_000_000_000, 5_000_000_000);
  utimesSync(join(root, '-rf'), -5.5, -5.5);
}

test('an odd tree of 2,000 files goes out and comes in identical, twice the same bytes, and other tools read it', async () => {
  makeOddTree(agent.workspace, 2000);
  const before = describeTree(agent.workspace);
  const { zip, summary } = await save();
  expect(summary).toMatchObject({ files: 2007, leftOut: [], changedWhileReading: [] });
  expect((await save()).zip.equals(zip)).toBe(true);

  const file = join(agent.folder, 'out.zip');
  writeFileSync(file, zip);
  expect(execFileSync('unzip', ['-tq', file], { encoding: 'utf8' })).toContain('No errors');
  expect(execFileSync('python3', ['-c', 'import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.infolist()))', file], { encoding: 'utf8' })).toBe(`None ${summary.entries}\n`);
  mkdirSync(join(agent.folder, 'by-bsdtar'));
  // bsdtar translates names to the locale's character set.
  execFileSync('bsdtar', ['-xpf', file, '-C', join(agent.folder, 'by-bsdtar')], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  expect(readFileSync(join(agent.folder, 'by-bsdtar', 'pack 3', 'größe-3', 'datei 3.ts'), 'utf8')).toBe("export const x3 = 'yyy';\n");
  expect(lstatSync(join(agent.folder, 'by-bsdtar', 'link')).isSymbolicLink()).toBe(true);

  clear();
  expect(JSON.parse((await put(zip)).body.toString())).toEqual({ entries: summary.entries, files: summary.files, contentBytes: summary.contentBytes });
  expect(describeTree(agent.workspace)).toEqual(before);
  expect((await save()).zip.equals(zip)).toBe(true);
});

test('a hostile archive is refused over HTTP with its code, and the workspace stays empty', async () => {
  symlinkSync('/etc', inside('evil'));
  const { zip } = await save();
  clear();
  const answer = await put(zip, 'links=refuse');
  expect(answer.status).toBe(422);
  expect(answer.body.toString()).toContain('ARCHIVE_UNSAFE');
  expect(readdirSync(agent.workspace)).toEqual([]);
  const large = await put(zip, 'links=keep&maxEntries=1&maxBytes=1');
  expect(large.status).toBe(413);
});

test('what is left out is reported once a folder, with its reason; special files too', async () => {
  mkdirSync(inside('node_modules/a'), { recursive: true });
  writeFileSync(inside('node_modules/a/x'), 'x');
  writeFileSync(inside('package.json'), '{}');
  writeFileSync(inside('.vesselignore'), '*.log\n');
  writeFileSync(inside('a.log'), 'x');
  execFileSync('mkfifo', [inside('pipe')]);
  const server = createServer().listen(inside('socket'));
  await new Promise((resolve) => { server.once('listening', resolve); });
  const { summary } = await save('safe', ['*.secret']);
  server.close();
  expect(summary.leftOut).toEqual([
    { path: 'a.log', reason: '.vesselignore: *.log' },
    { path: 'node_modules/', reason: 'installed again from package.json' },
    { path: 'pipe', reason: 'a named pipe cannot be kept' },
    { path: 'socket', reason: 'a socket cannot be kept' },
  ]);
  expect(summary.files).toBe(2);
  expect((await save('everything')).summary.leftOut.map(({ path }) => path)).toEqual(['a.log', 'pipe']);
});

/** A repository in the workspace that tracks one file of what a rule leaves out. */
function commitInside(folder: string): void {
  const git = (...args: readonly string[]): void => { execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.org', ...args], { cwd: inside(folder), stdio: 'ignore' }); };
  mkdirSync(inside(folder, 'node_modules/t'), { recursive: true });
  writeFileSync(inside(folder, 'package.json'), '{}');
  writeFileSync(inside(folder, 'node_modules/t/index.js'), 'ours');
  git('init', '-q');
  git('add', '-f', '.');
  git('commit', '-qm', 'with a dependency');
  mkdirSync(inside(folder, 'node_modules/u'));
  writeFileSync(inside(folder, 'node_modules/u/index.js'), 'installed');
  writeFileSync(inside(folder, 'node_modules/t/built.js'), 'built');
}

test('what Git tracks is saved and comes back, wherever the repository lies; the rest of the folder is left out and named once', async () => {
  for (const folder of ['', 'deep/er/repository']) { mkdirSync(inside(folder), { recursive: true }); commitInside(folder); }
  const { zip, summary } = await save();
  expect(summary.leftOut.map(({ path, reason }) => [path, reason])).toEqual(['deep/er/repository/node_modules/', 'node_modules/'].map((path) => [path, 'installed again from package.json, except what Git tracks']));
  expect(summary.warnings).toEqual([]);
  clear();
  expect((await put(zip)).status).toBe(200);
  for (const folder of ['', 'deep/er/repository']) {
    expect(readFileSync(inside(folder, 'node_modules/t/index.js'), 'utf8')).toBe('ours');
    expect(readdirSync(inside(folder, 'node_modules'))).toEqual(['t']);
    expect(readdirSync(inside(folder, 'node_modules/t'))).toEqual(['index.js']);
    expect(execFileSync('git', ['status', '--porcelain', '--', 'node_modules'], { cwd: inside(folder), encoding: 'utf8' })).toBe('');
  }
});

test('a damaged index leaves nothing out, and says so', async () => {
  commitInside('');
  writeFileSync(inside('.git/index'), 'damaged');
  const { summary } = await save();
  expect(summary.leftOut).toEqual([]);
  expect(summary.warnings).toEqual([expect.stringMatching(/^What Git tracks in the workspace is not known \(its index is damaged/)]);
  writeFileSync(inside('.git/index'), '');
});

test('what Git begins to track is watched from then on', async () => {
  commitInside('');
  await save();
  await activity();
  execFileSync('git', ['add', '-f', 'node_modules/u/index.js'], { cwd: agent.workspace });
  const { changeCounter: added } = await activity();
  writeFileSync(inside('node_modules/u/index.js'), 'patched');
  expect((await activity()).changeCounter).toBeGreaterThan(added);
  const { changeCounter: before } = await activity();
  writeFileSync(inside('package.json'), '{"private":true}');
  expect((await activity()).changeCounter).toBeGreaterThan(before);
});

test('a very long report still fits a trailer and says that it was cut', async () => {
  for (let index = 0; index < 400; index += 1) writeFileSync(inside(`some-long-file-name-${index}.log`), '');
  const { summary } = await save('safe', ['*.log']);
  expect(summary.leftOut.at(-1)?.reason).toMatch(/^and \d+ more$/);
});

test('files that grow, shrink and vanish during a save leave a sound archive', async () => {
  for (let index = 0; index < 300; index += 1) writeFileSync(inside(`file-${index}`), Buffer.alloc(100_000, index));
  writeFileSync(inside('growing.log'), Buffer.alloc(6_000_000, 'g'));
  let round = 0;
  const timer = setInterval(() => {
    for (let burst = 0; burst < 5; burst += 1) {
      round += 1;
      appendFileSync(inside('growing.log'), Buffer.alloc(10_000, 'more'));
      rmSync(inside(`file-${round % 300}`), { force: true });
      writeFileSync(inside('file-299'), Buffer.alloc(1000 * (round % 90), round));
    }
  }, 1);
  try {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { zip } = await save();
      writeFileSync(join(agent.folder, 'moving.zip'), zip);
      expect(execFileSync('unzip', ['-tq', join(agent.folder, 'moving.zip')], { encoding: 'utf8' })).toContain('No errors');
    }
  } finally {
    clearInterval(timer);
  }
});

test('a practice unpacks beside the workspace, says what it did, and leaves neither a file nor a change', async () => {
  writeFileSync(inside('mine.txt'), 'mine');
  const { zip } = await save();
  const { changeCounter } = await activity();
  const answer = await put(zip, 'links=keep&practice=1');
  expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([200, { entries: 1, files: 1, contentBytes: 4 }]);
  expect((await put(Buffer.from('no zip'), 'practice=1')).status).toBeGreaterThanOrEqual(400);
  expect([readdirSync(agent.workspace), (await activity()).changeCounter]).toEqual([['mine.txt'], changeCounter]);
  expect(readdirSync(join(agent.folder, 'tmp')).filter((name) => name.startsWith('vessel-'))).toEqual([]);
});

test('a client that leaves during a save or an upload harms nothing', async () => {
  for (let index = 0; index < 40; index += 1) writeFileSync(inside(`file-${index}`), Buffer.alloc(1_000_000, index));
  const headers = { authorization: `Bearer ${TEST_TOKEN}` };
  await new Promise<void>((resolve) => {
    const request = httpRequest({ host: '127.0.0.1', port: agent.port, path: '/_vessel/v1/workspace/save', method: 'POST', headers }, (answer) => { answer.once('data', () => { request.destroy(); resolve(); }); answer.on('error', () => undefined); });
    request.on('error', () => undefined);
    request.end('{"exclude":{}}');
  });
  const { zip, summary } = await save();
  expect(summary.files).toBe(40);
  clear();
  await new Promise<void>((resolve) => {
    const request = httpRequest({ host: '127.0.0.1', port: agent.port, path: '/_vessel/v1/workspace?links=keep', method: 'PUT', headers: { ...headers, 'content-length': zip.length } });
    request.on('error', () => resolve());
    request.write(zip.subarray(0, 1_000_000), () => request.destroy());
  });
  expect((await put(zip)).status).toBe(200);
  expect(readdirSync(agent.workspace)).toHaveLength(40);
  // The agent hears of a client that left when the kernel says so.
  await expect.poll(() => readdirSync(join(agent.folder, 'tmp')).filter((name) => name.startsWith('vessel-')), { timeout: 10_000 }).toEqual([]);
});

test('the change counter stands still when nothing changes and moves with every kind of change', async () => {
  mkdirSync(inside('a'));
  writeFileSync(inside('a/file'), 'one');
  writeFileSync(inside('package.json'), '{}');
  await save();
  let { changeCounter } = await activity();
  const moved = async (): Promise<boolean> => {
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    const next = (await activity()).changeCounter;
    const different = next !== changeCounter;
    changeCounter = next;
    return different;
  };
  expect(await moved()).toBe(false);
  expect((await save()).summary.changeCounter).toBe(changeCounter);
  expect(await moved()).toBe(false);
  const { atime, mtime } = lstatSync(inside('a/file'));
  writeFileSync(inside('a/file'), 'two');
  utimesSync(inside('a/file'), atime, mtime);
  expect(await moved(), 'same size and time').toBe(true);
  mkdirSync(inside('new/folder'), { recursive: true });
  expect(await moved(), 'a new folder').toBe(true);
  writeFileSync(inside('new/folder/x'), '');
  expect(await moved(), 'a file in it').toBe(true);
  chmodSync(inside('a/file'), 0o755);
  expect(await moved(), 'a mode').toBe(true);
  renameSync(inside('new'), inside('renamed'));
  expect(await moved(), 'a rename').toBe(true);
  writeFileSync(inside('renamed/folder/y'), '');
  expect(await moved(), 'a file in the renamed folder').toBe(true);
  rmSync(inside('renamed'), { recursive: true });
  mkdirSync(inside('renamed/folder'), { recursive: true });
  expect(await moved(), 'another folder of the same name').toBe(true);
  writeFileSync(inside('renamed/folder/z'), '');
  expect(await moved(), 'a file in that one').toBe(true);
  writeFileSync(inside('renamed/folder/z'), 'again');
  expect(await moved(), 'a second change in the same place').toBe(true);
  mkdirSync(inside('node_modules/deep'), { recursive: true });
  await moved();
  writeFileSync(inside('node_modules/deep/x'), '');
  expect(await moved(), 'inside a left-out folder').toBe(false);
  rmSync(inside('a'), { recursive: true });
  expect(await moved(), 'a removal').toBe(true);
  expect((await activity()).file).not.toBeNull();
});

test('an empty workspace saves as an empty archive that can be put back', async () => {
  const { zip, summary } = await save();
  expect(summary).toMatchObject({ entries: 0, files: 0, contentBytes: 0 });
  expect((await put(zip)).status).toBe(200);
  expect(existsSync(agent.workspace)).toBe(true);
});

test('a restarted agent does not come to stand where a save of its predecessor did', () => {
  const counters = [1, 2].map(() => new ChangeCounter(agent.workspace, () => undefined));
  const [one, other] = counters.map((counter) => counter.read());
  for (const counter of counters) counter.close();
  expect(one).not.toBe(other);
});
