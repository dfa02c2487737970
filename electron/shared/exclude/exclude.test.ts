import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { ExcludeConfig } from '../archive-rules.ts';
import { parseIgnoreLines } from './ignore-pattern.ts';
import { previewExclude } from './preview.ts';

const leftOut = (paths: readonly string[], config: Partial<ExcludeConfig>, ignoreFiles: Record<string, string> = {}): readonly string[] =>
  previewExclude(paths, { preset: 'safe', rules: [], ...config }, ignoreFiles).leftOut.map(({ path }) => path);

const GOLDEN: readonly (readonly [string, ExcludeConfig['preset'], readonly string[], readonly string[]])[] = [
  ['node_modules beside package.json', 'safe', ['package.json', 'node_modules/a/index.js', 'src/a.js'], ['node_modules/']],
  ['node_modules in a package of a monorepo', 'safe', ['packages/a/package.json', 'packages/a/node_modules/x.js'], ['packages/a/node_modules/']],
  ['node_modules without package.json stays', 'safe', ['node_modules/a/index.js'], []],
  ['a file called node_modules stays', 'safe', ['package.json', 'node_modules'], []],
  ['a real virtual environment', 'safe', ['.venv/pyvenv.cfg', '.venv/bin/python', 'venv/pyvenv.cfg'], ['.venv/', 'venv/']],
  ['a folder merely called venv stays', 'safe', ['venv/notes.txt', '.venv/readme'], []],
  ['Python caches', 'safe', ['a/__pycache__/x.pyc', '.pytest_cache/v', '.mypy_cache/3', '.ruff_cache/1', '.tox/py3/x'], ['.mypy_cache/', '.pytest_cache/', '.ruff_cache/', '.tox/', 'a/__pycache__/']],
  ['target beside Cargo.toml', 'safe', ['Cargo.toml', 'target/debug/a'], ['target/']],
  ['target elsewhere stays', 'safe', ['target/debug/a', 'pom.xml'], []],
  ['.gradle beside build.gradle.kts', 'safe', ['build.gradle.kts', '.gradle/x'], ['.gradle/']],
  ['vendor needs the lock file too', 'safe', ['a/composer.json', 'a/vendor/x', 'b/composer.json', 'b/composer.lock', 'b/vendor/x', 'c/go.mod', 'c/vendor/x'], ['b/vendor/']],
  ['Pods beside Podfile', 'safe', ['ios/Podfile', 'ios/Pods/x'], ['ios/Pods/']],
  ['.next/cache but not .next', 'safe', ['package.json', '.next/cache/x', '.next/server/y', 'cache/z'], ['.next/cache/']],
  ['build output stays in safe', 'safe', ['package.json', 'dist/a', 'build/a', 'out/a', 'coverage/a', '.git/HEAD', '.env'], []],
  ['lean drops build output, git and env files', 'lean', ['package.json', 'dist/a', 'build/a', 'out/a', '.next/a', 'coverage/a', '.git/HEAD', '.env', '.env.local', '.env.example', 'src/a'],
    ['.env', '.env.local', '.git/', '.next/', 'build/', 'coverage/', 'dist/', 'out/']],
  ['lean keeps dist without a manifest', 'lean', ['dist/book.pdf', 'docs/build/a'], []],
  ['lean knows target of Maven', 'lean', ['pom.xml', 'target/a.jar'], ['target/']],
  ['everything leaves nothing out', 'everything', ['package.json', 'node_modules/a', '.git/HEAD', '__pycache__/x', '.env'], []],
];

test.each(GOLDEN)('preset: %s (%s)', (_, preset, paths, expected) => {
  expect(leftOut(paths, { preset })).toEqual(expected);
});

test('.vesselignore takes away and gives back what the preset decided', () => {
  expect(leftOut(['package.json', 'node_modules/a', 'a.log', 'keep.log', '.vesselignore'], {}, { '.vesselignore': '*.log\n!keep.log\n!node_modules/\n' })).toEqual(['a.log']);
});

test('a nested .vesselignore counts below its folder only and after the root one', () => {
  const paths = ['a.tmp', 'sub/a.tmp', 'sub/b.tmp', 'sub/.vesselignore'];
  expect(leftOut(paths, {}, { '.vesselignore': '*.tmp', 'sub/.vesselignore': '!a.tmp' })).toEqual(['a.tmp', 'sub/b.tmp']);
});

test('project rules come last', () => {
  const ignore = { '.vesselignore': 'data/\n' };
  expect(leftOut(['data/x', 'big.bin'], { rules: ['!data/', 'big.bin'] }, ignore)).toEqual(['big.bin']);
});

test('a folder that a later rule gives back is entered with all its content', () => {
  expect(previewExclude(['out/a', 'out/b/c'], { preset: 'safe', rules: ['!out/'] }, { '.vesselignore': 'out/' }).kept).toEqual(['out/', 'out/a', 'out/b/', 'out/b/c']);
});

test('the reason names the rule', () => {
  const { leftOut: list } = previewExclude(['package.json', 'node_modules/a', 'x.log', 'y'], { preset: 'safe', rules: ['y'] }, { '.vesselignore': '*.log' });
  expect(Object.fromEntries(list.map(({ path, reason }) => [path, reason]))).toEqual({ 'node_modules/': 'installed again from package.json', 'x.log': '.vesselignore: *.log', y: 'project rule: y' });
});

const PATTERNS: readonly string[] = [
  '*.log', '/root.txt', 'dir/', 'a/b', '**/deep', 'x/**', 'p/**/q', '[ab]c', '[!ab]d', 'file?.txt', String.raw`\#hash`, String.raw`\!bang`, 'trail ', String.raw`keep\ `,
  '# comment', '', '*', '/*', '!*.md', 'foo/*', 'foo/**/', '[[:digit:]]x', '[a-c]*', '**', 'a**b', String.raw`es\*c`, '[', 'b[', 'ümlaut', '*.{js,ts}', 'a.b+c', '**/x/**', '/x/y/', '.*', '[]]z', '[^x]y', 'x\r',
];
const CANDIDATES: readonly string[] = [
  'a.log', 'd/a.log', 'root.txt', 'd/root.txt', 'dir/f', 'e/dir/f', 'a/b', 'c/a/b', 'deep', 'q/deep', 'x/1', 'x/y/2', 'p/q', 'p/1/q', 'p/1/2/q', 'ac', 'cc', 'cd', 'ad', 'file1.txt', 'file12.txt',
  '#hash', '!bang', 'trail', 'keep ', 'r.md', 'foo/1', 'foo/b/c', '1x', 'bx', 'aXb', 'es*c', 'esxc', 'b[', '[', 'ümlaut', 'k.js', 'a.b+c', 'aab+c', '.hidden', ']z', 'zy', 'xy',
];

test('the pattern matcher agrees with git', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vessel-ignore-'));
  try {
    execFileSync('git', ['init', '-q', folder]);
    const folders = new Set<string>();
    for (const path of CANDIDATES) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), '');
      for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) folders.add(path.slice(0, slash));
    }
    const excludes = join(folder, '.git', 'info', 'exclude');
    const differences: string[] = [];
    for (const pattern of PATTERNS.filter((item) => !item.startsWith('!'))) {
      writeFileSync(excludes, `${pattern}\n`);
      const asked = [...CANDIDATES, ...folders];
      const answer = spawnSync('git', ['-C', folder, 'check-ignore', '--no-index', '-z', '--stdin'], { input: asked.join('\0'), encoding: 'utf8' });
      const ignored = new Set(answer.stdout.split('\0').filter((path) => path !== ''));
      const [compiled] = parseIgnoreLines([pattern]);
      const hit = (path: string, isFolder: boolean): boolean => compiled !== undefined && (isFolder || !compiled.folderOnly) && compiled.matches(path, path.slice(path.lastIndexOf('/') + 1));
      const byUs = (path: string): boolean => {
        const parts = path.split('/');
        return parts.some((__, index) => hit(parts.slice(0, index + 1).join('/'), index < parts.length - 1 || folders.has(path)));
      };
      for (const path of asked) if (byUs(path) !== ignored.has(path)) differences.push(`${JSON.stringify(pattern)} on ${path}: git says ${ignored.has(path)}`);
    }
    expect(differences).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
