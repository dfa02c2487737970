import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ERROR_CODES } from '#shared/errors.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** "Whoever does this" is "if you do this"; "nobody uses it" is "it is not used". */
const STILTED = /\b(?:whoever|somebody|nobody)\b/i;
const COMMENT = /^\s*(?:\/\/|\/?\*)|\{\/\*/;

const found = (name: string, lines: readonly string[]): readonly string[] => lines.flatMap((line, at) => (STILTED.test(line) ? [`${name}:${at + 1}: ${line.trim()}`] : []));
const linesOf = (path: string): readonly string[] => readFileSync(join(ROOT, path), 'utf8').split('\n');

it('documents say you, and name who or what acts', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...globSync('docs/*.md', { cwd: ROOT })];
  expect(documents.length).toBeGreaterThan(10);
  expect(documents.flatMap((path) => found(path, linesOf(path)))).toEqual([]);
});

it('errors, the window and the command line do so too', () => {
  expect(Object.entries(ERROR_CODES).flatMap(([code, { title, hint }]) => found(code, [title, hint]))).toEqual([]);
  const sources = ['renderer/**/*.tsx', 'electron/cli/commands/*.ts'].flatMap((pattern) => globSync(pattern, { cwd: ROOT })).filter((path) => !/\.test\.tsx?$/.test(path));
  expect(sources.length).toBeGreaterThan(50);
  // What stands in a comment is read by developers alone.
  expect(sources.flatMap((path) => found(path, linesOf(path).map((line) => (COMMENT.test(line) ? '' : line.replace(/ \/\/ .*$/, '')))))).toEqual([]);
});
