import { describe, expect, it } from 'vitest';
import { ArchiveTree, judgeName, judgeTarget, kindOfEntry, MAX_LINK_BYTES, MAX_NAME_BYTES, MAX_PATH_BYTES, withSlashes, type NameRules } from './archive-names.ts';

/** The path that a name stands for, `(workspace)`, or why it is refused. */
function judged(name: string, rules: NameRules): string {
  const result = judgeName(name, rules);
  if (result.verdict === 'refused') return `refused: ${result.problem}`;
  return result.verdict === 'workspace' ? '(workspace)' : `${result.path}${result.isFolder ? '/' : ''}`;
}

const nested = (depth: number): string => `${'a'.repeat(MAX_NAME_BYTES)}/`.repeat(depth);

describe('a name in an archive', () => {
  it.each([
    ['a', 'a'], ['a/b/', 'a/b/'], ['./a', 'a'], ['a/./b', 'a/b'], ['./', '(workspace)'], ['.', '(workspace)'], ['././', '(workspace)'], ['a/.', 'a/'],
    ['...', '...'], ['..a/b..', '..a/b..'], [' ', ' '], ['a\nb', 'a\nb'], ['\xff\xfe', '\xff\xfe'], ['-rf', '-rf'],
    ['x'.repeat(255), 'x'.repeat(255)], [`${nested(15)}f`, `${nested(15)}f`], [`${'folder/'.repeat(1000)}f`, `${'folder/'.repeat(1000)}f`],
  ])('%j is taken by every rule', (name, path) => {
    expect(judged(name, 'own')).toBe(path);
    expect(judged(name, 'foreign')).toBe(path);
  });

  it.each(['', '/', '/etc/passwd', '..', '../x', 'a/../../x', './../x', 'a/..', 'a//b', 'a//', 'a\0b', 'x'.repeat(256), `a/${'é'.repeat(152)}`.normalize('NFD'), `${nested(125)}f`, `${'d/'.repeat(1001)}f`])('%j is refused by every rule', (name) => {
    const bytes = Buffer.from(name).toString('latin1');
    expect(judged(bytes, 'own')).toMatch(/^refused/);
    expect(judged(bytes, 'foreign')).toMatch(/^refused/);
  });

  it.each(['C:\\temp\\log.txt', 'C:/temp/log.txt', '..\\x', '\\\\server\\share', 'a\\b', 'c:'])('%j is a name of Linux, and a path of another system', (name) => {
    expect(judged(name, 'own')).toBe(name);
    expect(judged(name, 'foreign')).toMatch(/^refused/);
  });

  it('may be as long as a workspace can hold, and says the length when it is longer', () => {
    const longest = `${nested(123)}b/${'c'.repeat(255)}/${'d'.repeat(MAX_PATH_BYTES - 123 * 256 - 258)}`;
    expect(judged(longest, 'own')).toBe(longest);
    expect(judged(`${longest}c`, 'own')).toContain(`${MAX_PATH_BYTES + 1} bytes`);
    expect(judged('x'.repeat(304), 'own')).toContain('304 bytes');
  });
});

describe('a target of a link', () => {
  it('is any text that the kernel takes, wherever it leads', () => {
    for (const target of ['a', '/usr/bin/python3', '../../..', 'C:\\x', 'x'.repeat(MAX_LINK_BYTES)]) expect(judgeTarget(target)).toBeNull();
    for (const target of ['', 'a\0b', 'x'.repeat(MAX_LINK_BYTES + 1)]) expect(judgeTarget(target)).toMatch(/^is a link/);
  });
});

it('backslashes separate folders only where the maker is a system that writes them and the name has no slash', () => {
  for (const system of [0, 6, 10, 14]) expect(withSlashes('shop\\src\\a.js', system)).toBe('shop/src/a.js');
  expect(withSlashes('shop/src\\a.js', 0)).toBe('shop/src\\a.js');
  for (const system of [3, 7, 19]) expect(withSlashes('shop\\src\\a.js', system)).toBe('shop\\src\\a.js');
});

it.each([
  [0o100644, false, 'file'], [0, false, 'file'], [0o040755, true, 'dir'], [0o040755, false, 'dir'], [0, true, 'dir'], [0o644, true, 'dir'],
  [0o120777, false, 'link'], [0o120777, true, null], [0o100644, true, null], [0o060644, false, null], [0o010644, false, null], [0o140755, false, null], [0o644, false, 'file'],
])('an entry of mode %i (closing slash: %s) is %s', (mode, isFolder, kind) => {
  expect(kindOfEntry(mode, isFolder)).toBe(kind);
});

describe('the paths of an archive', () => {
  const last = (...paths: readonly string[]): string => {
    const tree = new ArchiveTree();
    return paths.map((path) => tree.add(path.replace(/\/$/, ''), path.endsWith('/'))).at(-1) ?? '';
  };

  it.each([
    ['new', ['a/', 'a/b', 'a/c/', 'a/c/d']], ['new', ['a/b', 'a/']], ['new', ['b/c/d', 'a', 'b/']], ['repeated', ['a/', 'b', 'a/']],
    ['twice', ['a', 'b', 'a']], ['twice', ['a/b/c', 'a/b']], ['twice', ['a/', 'a']], ['twice', ['a', 'a/']],
    ['below a file or a link', ['a', 'a/b']], ['below a file or a link', ['a/b', 'c', 'a/b/c/d']],
  ])('%s: %j', (placed, paths) => {
    expect(last(...paths)).toBe(placed);
  });
});
