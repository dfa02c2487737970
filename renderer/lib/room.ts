import type { CallOutput } from '#shared/contract.ts';

export type Metrics = CallOutput<'environments.metrics'>;

/** Below this share of its memory that is free a Linux guest starts to throw out what it needs a moment later. */
const LEAST_MEMORY = 0.1;
/** Compressed swap counts as room until this share of it is left. */
const LEAST_SWAP = 0.25;
/** A build fills what is left below this within seconds. */
const LEAST_DISK = 0.05;

/** What an environment is about to run out of. */
export function shortages({ memoryUsedBytes, memoryTotalBytes, swapUsedBytes, swapTotalBytes, diskUsedBytes, diskTotalBytes }: Metrics): { readonly memory: boolean; readonly disk: boolean } {
  const swapLeft = swapTotalBytes === 0 ? 0 : 1 - swapUsedBytes / swapTotalBytes;
  return {
    memory: memoryTotalBytes > 0 && 1 - memoryUsedBytes / memoryTotalBytes < LEAST_MEMORY && swapLeft < LEAST_SWAP,
    disk: diskTotalBytes > 0 && 1 - diskUsedBytes / diskTotalBytes < LEAST_DISK,
  };
}

/** One line for the closed control; null while there is room. */
export function shortageText(metrics: Metrics | null): string | null {
  if (metrics === null) return null;
  const { memory, disk } = shortages(metrics);
  if (disk) return memory ? 'Low on memory and disk' : 'Disk almost full';
  return memory ? 'Low on memory' : null;
}
