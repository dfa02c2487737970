import { describe, expect, it } from 'vitest';
import { formatAgo, formatBytes, formatCount, formatDuration, formatLeft, formatPercent, shortHash } from './format.ts';

describe('formatBytes', () => {
  it.each([[0, '0 B'], [999, '999 B'], [1000, '1.0 kB'], [1_200_000, '1.2 MB'], [59_000_000, '59 MB'], [59_400_000, '59.4 MB'], [999_600, '1.0 MB'], [3_000_000_000, '3.0 GB']])('says %d as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
  it('shows a dash for a size that cannot be', () => expect(formatBytes(-1)).toBe('–'));
});

describe('formatDuration', () => {
  it.each([[0, '0 ms'], [214.4, '214 ms'], [840, '0.84 s'], [12_340, '12.3 s'], [59_960, '1 min 00 s'], [125_000, '2 min 05 s'], [3_840_000, '1 h 04 min']])('says %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('formatAgo', () => {
  const now = Date.UTC(2026, 10, 21, 12);
  it.each([[10_000, 'just now'], [60_000, '1 min ago'], [120_000, '2 min ago'], [3_600_000, '1 h ago'], [26 * 3_600_000, 'yesterday'], [5 * 86_400_000, '5 days ago']])('says %d ms ago as %s', (past, text) => {
    expect(formatAgo(now - past, now)).toBe(text);
  });
  it('never speaks of the future when two clocks disagree', () => expect(formatAgo(now + 5_000, now)).toBe('just now'));
  it('gives the date after two weeks', () => expect(formatAgo(now - 30 * 86_400_000, now)).toMatch(/^on \d{4}-\d{2}-\d{2}$/));
});

it('rounds what is left up, so that it never says nothing is left while something is', () => {
  expect(formatLeft(1_200, 0)).toBe('2 s');
  expect(formatLeft(61_000, 0)).toBe('2 min');
  expect(formatLeft(7_500_000, 0)).toBe('2 h 05 min');
  expect(formatLeft(-1, 0)).toBe('now');
});

it('says 100 % only when everything is done', () => {
  expect(formatPercent(0.999)).toBe('99%');
  expect(formatPercent(1)).toBe('100%');
});

it('counts in words and shortens hashes', () => {
  expect(formatCount(1, 'file')).toBe('1 file');
  expect(formatCount(1204, 'file')).toBe('1,204 files');
  expect(shortHash('a'.repeat(64))).toHaveLength(12);
});
