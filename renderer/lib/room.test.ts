import { describe, expect, it } from 'vitest';
import { shortageText, shortages, type Metrics } from './room.ts';

const GB = 1_000_000_000;
const calm: Metrics = { cpuPercent: 5, memoryUsedBytes: 0.5 * GB, memoryTotalBytes: 2 * GB, swapUsedBytes: 0, swapTotalBytes: GB, diskUsedBytes: GB, diskTotalBytes: 10 * GB, load1: 0, memoryKills: { count: 0, process: null }, processes: 40 };

describe('room in an environment', () => {
  it('is enough while memory, or compressed swap, is left', () => {
    expect(shortages(calm)).toEqual({ memory: false, disk: false });
    expect(shortages({ ...calm, memoryUsedBytes: 1.95 * GB, swapUsedBytes: 0.5 * GB })).toEqual({ memory: false, disk: false });
    expect(shortageText(calm)).toBeNull();
    expect(shortageText(null)).toBeNull();
  });

  it('is short of memory when both are used up, and where there is no swap at once', () => {
    expect(shortageText({ ...calm, memoryUsedBytes: 1.95 * GB, swapUsedBytes: 0.9 * GB })).toBe('Low on memory');
    expect(shortageText({ ...calm, memoryUsedBytes: 1.95 * GB, swapTotalBytes: 0 })).toBe('Low on memory');
  });

  it('is short of disk below a twentieth', () => {
    expect(shortageText({ ...calm, diskUsedBytes: 9.6 * GB })).toBe('Disk almost full');
    expect(shortageText({ ...calm, diskUsedBytes: 9.6 * GB, memoryUsedBytes: 1.95 * GB, swapTotalBytes: 0 })).toBe('Low on memory and disk');
  });

  it('is unknown rather than short where nothing was measured', () => {
    expect(shortages({ ...calm, memoryTotalBytes: 0, diskTotalBytes: 0 })).toEqual({ memory: false, disk: false });
  });
});
