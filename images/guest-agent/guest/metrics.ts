import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import type { GuestMetrics } from '#shared/guest-protocol.ts';
import type { MemoryKills } from './memory-watch.ts';

type CpuTimes = { readonly busy: number; readonly total: number };

function cpuTimes(): CpuTimes {
  const fields = (readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '').trim().split(/\s+/).slice(1).map(Number);
  // user nice system idle iowait irq softirq steal; guest time is already within user (proc(5)).
  const total = fields.slice(0, 8).reduce((sum, value) => sum + value, 0);
  return { total, busy: total - (fields[3] ?? 0) - (fields[4] ?? 0) };
}

/** Reads the guest's load from /proc; the CPU share is that since the previous reading (the first: since boot). */
export class MetricsReader {
  #last: CpuTimes = { busy: 0, total: 0 };

  read(workspace: string, { count, last }: MemoryKills): GuestMetrics {
    const now = cpuTimes();
    const total = now.total - this.#last.total;
    const cpuPercent = total <= 0 ? 0 : (100 * (now.busy - this.#last.busy)) / total;
    this.#last = now;
    const memory = new Map<string, number>();
    for (const line of readFileSync('/proc/meminfo', 'utf8').split('\n')) {
      const match = /^(\w+):\s+(\d+) kB/.exec(line);
      if (match !== null) memory.set(match[1] ?? '', Number(match[2]) * 1024);
    }
    const memoryTotalBytes = memory.get('MemTotal') ?? 0;
    const disk = statfsSync(workspace);
    return {
      cpuPercent: Math.round(cpuPercent * 10) / 10,
      memoryUsedBytes: memoryTotalBytes - (memory.get('MemAvailable') ?? 0),
      memoryTotalBytes,
      swapUsedBytes: (memory.get('SwapTotal') ?? 0) - (memory.get('SwapFree') ?? 0),
      swapTotalBytes: memory.get('SwapTotal') ?? 0,
      diskUsedBytes: (disk.blocks - disk.bfree) * disk.bsize,
      diskTotalBytes: disk.blocks * disk.bsize,
      load1: Number(readFileSync('/proc/loadavg', 'utf8').split(' ', 1)[0]),
      memoryKills: { count, process: last?.process ?? null },
      processes: readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length,
    };
  }
}
