import { describe, expect, it } from 'vitest';
import { stats } from './stats.ts';

describe('stats', () => {
  it('interpolates the median of an even sample and keeps the extremes', () => {
    expect(stats([4, 1, 3, 2])).toEqual({ n: 4, median: 2.5, p95: 3.85, min: 1, max: 4 });
  });
  it('refuses an empty sample', () => {
    expect(() => stats([])).toThrow(RangeError);
  });
});
