import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** Share (0–1) of all processors that was busy during the next `windowMs` milliseconds. Rejects when the signal aborts. */
export async function processorBusyShare(windowMs: number, signal: AbortSignal): Promise<number> {
  const sample = (): { readonly idle: number; readonly total: number } => {
    const times = cpus().map((cpu) => cpu.times);
    const idle = times.reduce((sum, time) => sum + time.idle, 0);
    return { idle, total: times.reduce((sum, { user, nice, sys, idle: rest, irq }) => sum + user + nice + sys + rest + irq, 0) };
  };
  const before = sample();
  await delay(windowMs, undefined, { signal });
  const after = sample();
  const total = after.total - before.total;
  return total === 0 ? 0 : 1 - (after.idle - before.idle) / total;
}

/** What the kernel could give to new processes without swapping (proc(5), MemAvailable). */
export async function memoryAvailableBytes(): Promise<number> {
  const [, kilobytes = '0'] = /^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
