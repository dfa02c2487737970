import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { parseGitIndex } from './git-index.ts';
import { findTracked, sameTracked, trackedOf, type GitFiles } from './git-tracked.ts';
import { previewExclude } from './preview.ts';

let root = '';
beforeEach(() => { root = mkdtempSync(join(tmpdir(), 'vessel-git-')); });
afterEach(() => { rmSync(root, { recursive: true, force: true }); });

const git = (folder: string, ...args: readonly string[]): string => execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.org', '-c', 'protocol.file.allow=always', ...args], {
  cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, GIT_CONFIG_NOSYSTEM: '1', HOME: root },
});
function put(folder: string, ...names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), name);
  }
}
const FILES: GitFiles = {
  kindOf: (path) => { const stat = statSync(path, { throwIfNoEntry: false }); return stat === undefined ? null : stat.isFile() ? 'file' : stat.isDirectory() ? 'dir' : 'other'; },
  read: (path) => (statSync(path, { throwIfNoEntry: false }) === undefined ? null : readFileSync(path)),
};
const NAMES = ['package.json', 'node_modules/t/index.js', 'node_modules/t/lib/deep.js', 'src/ä.ts', 'src/a b.ts', 'src/🚀.ts', 'x'.repeat(255), `${'long/'.repeat(60)}file`, 'a-b', 'a/c', 'a.d', 'a0'];
/** What Git itself says. */
const listed = (folder: string): readonly string[] => git(folder, 'ls-files', '-z').split('\0').filter((name) => name !== '');

function repository(...initArguments: readonly string[]): string {
  const folder = join(root, 'repository');
  mkdirSync(folder);
  git(folder, 'init', '-q', ...initArguments);
  put(folder, ...NAMES);
  git(folder, 'add', '-f', '.');
  git(folder, 'commit', '-qm', 'all');
  return folder;
}

describe('an index that Git wrote reads as Git reads it', () => {
  it.each(['2', '3', '4'])('version %s', (version) => {
    const folder = repository();
    if (version === '3') {
      put(folder, 'later.txt');
      // Only an extended flag makes an index version 3.
      git(folder, 'add', '-N', 'later.txt');
    } else git(folder, 'update-index', '--index-version', version);
    const bytes = readFileSync(join(folder, '.git/index'));
    expect(bytes.readUInt32BE(4)).toBe(Number(version));
    expect([...parseGitIndex(bytes)?.paths ?? []].sort()).toEqual([...listed(folder)].sort());
  });

  it('of a repository with SHA-256', () => {
    const folder = repository('--object-format=sha256');
    expect([...findTracked(folder, FILES).paths].sort()).toEqual([...listed(folder)].sort());
  });

  it('split, with entries that replace and add', () => {
    const folder = repository();
    git(folder, 'update-index', '--split-index');
    put(folder, 'added.txt');
    writeFileSync(join(folder, 'package.json'), 'changed');
    git(folder, 'add', 'added.txt', 'package.json');
    expect(parseGitIndex(readFileSync(join(folder, '.git/index')))?.sharedIndex).toMatch(/^[0-9a-f]{40}$/);
    expect([...new Set(findTracked(folder, FILES).paths)].sort()).toEqual([...listed(folder)].sort());
    rmSync(join(folder, '.git', `sharedindex.${parseGitIndex(readFileSync(join(folder, '.git/index')))?.sharedIndex ?? ''}`));
    expect(findTracked(folder, FILES).problem).toContain('shared part');
  });

  it('sparse: a folder that is not checked out stands for all below it', () => {
    const folder = repository();
    git(folder, 'sparse-checkout', 'init', '--cone', '--sparse-index');
    git(folder, 'sparse-checkout', 'set', 'src');
    const tracked = findTracked(folder, FILES);
    expect(tracked.problem).toBeNull();
    expect(tracked.paths).toContain('node_modules/');
    expect(tracked.has('node_modules/t/index.js')).toBe(true);
    expect(tracked.has('src/a b.ts')).toBe(true);
    expect(tracked.has('other/x')).toBe(false);
  });

  it('in a submodule and in a further working tree, where .git is a file', () => {
    const folder = repository();
    const parent = join(root, 'parent');
    mkdirSync(parent);
    git(parent, 'init', '-q');
    git(parent, 'submodule', '--quiet', 'add', folder, 'vendor/sub');
    git(folder, 'worktree', 'add', '-q', '--detach', join(root, 'tree'));
    expect(findTracked(join(parent, 'vendor/sub'), FILES).has('node_modules/t/index.js')).toBe(true);
    expect(findTracked(join(root, 'tree'), FILES).has('node_modules/t/index.js')).toBe(true);
    expect(findTracked(parent, FILES).has('vendor/sub')).toBe(true);
    renameSync(folder, `${folder}-moved`);
    expect(findTracked(join(root, 'tree'), FILES).problem).toContain('not there');
  });
});

test('an index that is damaged anywhere in its structure keeps everything, and none keeps nothing', () => {
  const folder = repository();
  const file = join(folder, '.git/index');
  const whole = readFileSync(file);
  for (const damaged of [Buffer.alloc(0), Buffer.from('DIRC'), whole.subarray(0, 100), whole.subarray(0, whole.length - 30), Buffer.concat([whole.subarray(0, 80), whole.subarray(84)]), Buffer.from('not an index at all, but longer than its head')]) {
    writeFileSync(file, damaged);
    expect(findTracked(folder, FILES)).toMatchObject({ problem: expect.stringContaining('damaged') as string });
    expect(findTracked(folder, FILES).has('anything')).toBe(true);
  }
  rmSync(file);
  expect(findTracked(folder, FILES)).toMatchObject({ problem: null, paths: [] });
  mkdirSync(file);
  expect(findTracked(folder, FILES).problem).toContain('EISDIR');
});

test('every length of an index either reads or keeps everything, and never fails', () => {
  const folder = repository();
  const whole = readFileSync(join(folder, '.git/index'));
  for (let length = 0; length < whole.length; length += 7) expect(parseGitIndex(whole.subarray(0, length))).toBeNull();
  for (let at = 0; at < whole.length; at += 13) {
    const flipped = Buffer.from(whole);
    flipped[at] = (flipped[at] ?? 0) ^ 0xff;
    expect(() => parseGitIndex(flipped)).not.toThrow();
  }
});

test('a .git that is a link, a broken file, or unreadable', () => {
  const folder = repository();
  const other = join(root, 'other');
  mkdirSync(other);
  symlinkSync(join(folder, '.git'), join(other, '.git'));
  expect(findTracked(other, FILES).has('package.json')).toBe(true);
  rmSync(join(other, '.git'));
  writeFileSync(join(other, '.git'), 'nonsense');
  expect(findTracked(other, FILES).problem).toContain('names no repository');
  const closed: GitFiles = { ...FILES, read: () => { throw new Error('EACCES'); } };
  chmodSync(join(folder, '.git/index'), 0o600);
  expect(findTracked(folder, closed)).toMatchObject({ problem: 'EACCES' });
});

test('looking up finds files and the folders around them, and nothing beside', () => {
  const tracked = trackedOf(['a/c', 'a-b', 'a.d/e', 'a0', 'sub', 'z/sparse/']);
  for (const path of ['a', 'a/c', 'a-b', 'a.d', 'a.d/e', 'a0', 'sub', 'z', 'z/sparse/x/y']) expect([path, tracked.has(path)]).toEqual([path, true]);
  for (const path of ['a/', 'a/d', 'a-', 'a.', 'b', 'su', 'sub/x', 'z/other', '']) expect([path, tracked.has(path)]).toEqual([path, false]);
  expect(sameTracked(tracked, trackedOf(['a0', 'sub', 'z/sparse/', 'a/c', 'a-b', 'a.d/e']))).toBe(true);
  expect(sameTracked(tracked, trackedOf(['a0']))).toBe(false);
});

describe('rules and what Git tracks', () => {
  const TREE = ['.git/index', 'package.json', 'node_modules/t/index.js', 'node_modules/t/untracked.js', 'node_modules/u/x.js', 'secret/a.key', 'secret/b.key', 'dist/app.js', 'dist/map.js', '.env'];
  const preview = (preset: 'safe' | 'lean' | 'everything', tracked: readonly string[], rules: readonly string[] = [], more: readonly string[] = []): ReturnType<typeof previewExclude> =>
    previewExclude([...TREE, ...more], { preset, rules: [...rules] }, {}, { '': tracked });

  it('keeps the file, its folders, and nothing else of a folder that is left out, which is named once', () => {
    const { kept, leftOut } = preview('safe', ['package.json', 'node_modules/t/index.js']);
    expect(kept.filter((path) => path.startsWith('node_modules'))).toEqual(['node_modules/', 'node_modules/t/', 'node_modules/t/index.js']);
    expect(leftOut).toEqual([{ path: 'node_modules/', reason: 'installed again from package.json, except what Git tracks' }]);
  });

  it('holds for every preset and for a person’s own rules, for folders and files', () => {
    expect(preview('lean', ['dist/app.js', '.env'], ['*.key']).leftOut.map(({ path }) => path)).toEqual(['.git/', 'dist/', 'node_modules/', 'secret/a.key', 'secret/b.key']);
    expect(preview('everything', ['secret/a.key'], ['secret/']).kept).toContain('secret/a.key');
    expect(preview('everything', ['secret/a.key'], ['secret/']).kept).not.toContain('secret/b.key');
    expect(preview('safe', [], ['secret/']).leftOut.map(({ path }) => path)).toEqual(['node_modules/', 'secret/']);
  });

  it('keeps in a working tree that lies in a folder left out what that tracks, with its history', () => {
    const paths = ['package.json', 'dist/.git/index', 'dist/index.html', 'dist/rubbish', '.git/index'];
    const { kept, leftOut } = previewExclude(paths, { preset: 'safe', rules: ['dist/'] }, {}, { '': ['package.json'], dist: ['index.html'] });
    expect(kept).toEqual(expect.arrayContaining(['dist/.git/index', 'dist/index.html']));
    expect(kept).not.toContain('dist/rubbish');
    expect(leftOut).toEqual([{ path: 'dist/', reason: 'project rule: dist/, except what Git tracks' }]);
  });

  it('keeps of a submodule in a folder left out what the submodule tracks', () => {
    const paths = ['package.json', '.git/index', 'node_modules/sub/.git', 'node_modules/sub/a.js', 'node_modules/sub/built.js'];
    const { kept } = previewExclude(paths, { preset: 'safe', rules: [] }, {}, { '': ['node_modules/sub'], 'node_modules/sub': ['a.js'] });
    expect(kept.filter((path) => path.startsWith('node_modules'))).toEqual(['node_modules/', 'node_modules/sub/', 'node_modules/sub/.git', 'node_modules/sub/a.js']);
  });
});
