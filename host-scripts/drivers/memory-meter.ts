import { readFile } from 'node:fs/promises';
import type { RecordStore } from '../records/record-store.ts';
import type { MemoryMeter } from './driver.ts';

/** What the processes of a VM really cost: each shared page counts by its share (`Pss` of proc(5)). */
export function memoryMeter(records: RecordStore): MemoryMeter {
  return {
    async memoryBytes(id) {
      const stored = await records.read(id);
      const sizes = await Promise.all((stored?.record?.processes ?? []).map(async ({ pid }) => Number(/^Pss:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
  };
}
