import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, hostname, release } from 'node:os';
import { dirname } from 'node:path';
import { errnoOf } from './system/errno.ts';

export type ComputerFacts = {
  readonly hostname: string; readonly os: string; readonly kernel: string; readonly cpus: number;
  readonly memoryTotalBytes: number; readonly memoryAvailableBytes: number; readonly diskFreeBytes: number;
};

export type OsRelease = { readonly id: string; readonly idLike: readonly string[]; readonly version: string; readonly name: string };

/** `/etc/os-release`, see os-release(5). */
export async function readOsRelease(): Promise<OsRelease> {
  const text = await readFile('/etc/os-release', 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  });
  const fields = new Map([...text.matchAll(/^([A-Z_]+)=(?:"([^"]*)"|(.*))$/gm)].map((match) => [match[1], match[2] ?? match[3] ?? '']));
  return { id: fields.get('ID') ?? 'unknown', idLike: (fields.get('ID_LIKE') ?? '').split(' ').filter((word) => word !== ''), version: fields.get('VERSION_ID') ?? '', name: fields.get('PRETTY_NAME') ?? 'unknown' };
}

async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    // The folder is not made yet: its nearest existing parent is on the same disk.
    if (errnoOf(error) === 'ENOENT' && dirname(path) !== path) return freeBytes(dirname(path));
    throw error;
  }
}

/** What the computer is and has free now. `folder` is where machines and images go. */
export async function computerFacts(folder: string): Promise<ComputerFacts> {
  const [memory, os, diskFreeBytes] = await Promise.all([readFile('/proc/meminfo', 'utf8'), readOsRelease(), freeBytes(folder)]);
  const kibibytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(memory)?.[1] ?? 0) * 1024;
  return {
    hostname: hostname(), os: os.name, kernel: release(), cpus: availableParallelism(),
    memoryTotalBytes: kibibytes('MemTotal'), memoryAvailableBytes: kibibytes('MemAvailable'), diskFreeBytes,
  };
}
