import { VesselError } from '#shared/errors.ts';
import { computerFacts } from '../../host-facts.ts';
import type { HostPaths } from '../../paths.ts';
import { nothingToUndo } from '../step.ts';
import type { ProvisionStep } from '../step.ts';

const GIGABYTE = 1_000_000_000;
/** One environment of the smallest size with a working build, beside the system itself. */
const LEAST_MEMORY_BYTES = 1.8 * GIGABYTE;
/** The image as it arrives and unpacked, packages, one template, and room for the disks of a few environments. */
const LEAST_DISK_BYTES = 5 * GIGABYTE;
/** Once all of that is there. */
const LEAST_WORKING_DISK_BYTES = 1 * GIGABYTE;

/** Memory and disk. `provisioned`: the large things are there already. */
export function resourcesStep(paths: HostPaths, provisioned: () => Promise<boolean>): ProvisionStep {
  const look = async (): Promise<{ readonly evidence: string; readonly lacks: string | null }> => {
    const { memoryTotalBytes, memoryAvailableBytes, diskFreeBytes } = await computerFacts(paths.cache);
    const least = await provisioned() ? LEAST_WORKING_DISK_BYTES : LEAST_DISK_BYTES;
    const evidence = `${(memoryTotalBytes / GIGABYTE).toFixed(1)} GB of memory (${(memoryAvailableBytes / GIGABYTE).toFixed(1)} free), ${(diskFreeBytes / GIGABYTE).toFixed(1)} GB of disk free`;
    const lacks = memoryTotalBytes < LEAST_MEMORY_BYTES ? `at least ${LEAST_MEMORY_BYTES / GIGABYTE} GB of memory are needed`
      : diskFreeBytes < least ? `at least ${least / GIGABYTE} GB must be free where ${paths.cache} lies` : null;
    return { evidence, lacks };
  };
  return {
    id: 'resources', title: 'Memory and disk', weight: 1, undo: nothingToUndo,
    async check() {
      const { evidence, lacks } = await look();
      return { present: lacks === null, evidence: lacks === null ? evidence : `${evidence}: ${lacks}`, plan: [] };
    },
    async run() {
      const { evidence, lacks } = await look();
      throw new VesselError('HOST_RESOURCES', `${evidence}: ${lacks ?? 'too little'}`, { retryable: false, hint: 'Free disk space, or take a larger machine.' });
    },
  };
}
