import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { measureTscKhz } from './tsc-frequency.ts';

describe('the frequency of the time stamp counter', () => {
  it('is measured repeatably and lies in the range of real processors', { timeout: 20_000 }, async () => {
    const first = await measureTscKhz(tmpdir());
    const second = await measureTscKhz(tmpdir());
    expect(Math.abs(first - second) / first).toBeLessThan(1e-3);
    expect(first).toBeGreaterThan(500_000);
    const flags = await readFile('/proc/cpuinfo', 'utf8');
    const mhz = Number(/^cpu MHz\s*: ([\d.]+)/m.exec(flags)?.[1] ?? '0');
    // In a virtual machine the kernel shows the counter's own frequency; on bare metal the current clock.
    if (flags.includes(' hypervisor')) expect(Math.abs(first - mhz * 1000) / first).toBeLessThan(1e-2);
  });
});
