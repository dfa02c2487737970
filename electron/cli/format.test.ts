import { expect, it, test } from 'vitest';
import { formatAgo, formatBytes, formatDuration } from './format.ts';
import { nearest } from './nearest.ts';
import { Output } from './output.ts';
import type { Runtime } from './runtime.ts';
import { makeStyle, oneLine, printable } from './style.ts';
import { renderTable } from './table.ts';

const plain = makeStyle(process.stdout, { NO_COLOR: '1' });

test('sizes are short and never show 1000 of a unit', () => {
  expect([0, 999, 1000, 1_234_567, 999_999, 99_960_000, 5e12].map(formatBytes)).toEqual(['0 B', '999 B', '1.0 KB', '1.2 MB', '1.0 MB', '100 MB', '5.0 TB']);
});

test('durations change their unit where people would', () => {
  expect([0, 84.4, 999.6, 1240, 12_340, 125_000, 11_040_000].map(formatDuration)).toEqual(['0 ms', '84 ms', '1.00 s', '1.24 s', '12.3 s', '2 min 5 s', '3 h 4 min']);
});

test('moments are told from now', () => {
  const now = 1_000_000_000;
  expect([now, now - 2 * 60_000, now - 86_400_000, now - 3 * 86_400_000, now + 3_600_000, null].map((at) => formatAgo(at, now)))
    .toEqual(['just now', '2 min ago', '1 day ago', '3 days ago', 'in 1 h', 'never']);
});

test('a table aligns its columns and ends no line with a space', () => {
  expect(renderTable(['id', 'state'], [['demo-k3f9', { text: 'open', format: 'green' }], ['x', '']], plain)).toBe('ID         STATE\ndemo-k3f9  open\nx');
});

test('colours obey NO_COLOR, a dumb terminal and a pipe', () => {
  const terminal = Object.assign(Object.create(process.stdout) as typeof process.stdout, { isTTY: true });
  expect(makeStyle(terminal, {})('red', 'x')).toBe('\u001b[31mx\u001b[39m');
  expect(makeStyle(terminal, { NO_COLOR: '1', FORCE_COLOR: '1' })('red', 'x')).toBe('x');
  expect(makeStyle(terminal, { TERM: 'dumb' })('red', 'x')).toBe('x');
});

test('text from a guest cannot steer the terminal', () => {
  expect(printable('a\u001b]0;title\u0007b\u001b[2Jc\rd\n\te')).toBe('a␛]0;title␇b␛[2Jc␍d\n\te');
  expect(oneLine('a\n\tb')).toBe('a b');
});

test('the nearest word is named only when it is near', () => {
  expect(nearest('opne', ['open', 'close'])).toBe('open');
  expect(nearest('dmeo', ['demo', 'shop'])).toBe('demo');
  expect(nearest('zzz', ['demo', 'shop'])).toBeNull();
});

it.each([[true, 'a␛]0;x␇b'], [false, 'a\u001b]0;x\u0007b'], [undefined, 'a\u001b]0;x\u0007b']])('shows control characters of a file on a terminal (%s) and leaves them to a pipe', (isTTY, shown) => {
  const output = new Output({ stdout: { isTTY }, stderr: {}, env: {} } as unknown as Runtime, false);
  expect(output.foreign('a\u001b]0;x\u0007b')).toBe(shown);
});
