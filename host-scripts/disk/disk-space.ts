import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { DiskSpace } from '#shared/host-protocol.ts';
import { errnoOf } from '../system/errno.ts';

const MIB = 1024 * 1024;
/**
 * Kept free for everybody's saves, records and logs: a twentieth of the disk, at least 256 MiB (a large workspace's archive), at most
 * 2 GiB, and never more than an eighth of a small one.
 */
const LEAST_RESERVE_BYTES = 256 * MIB;
const MOST_RESERVE_BYTES = 2048 * MIB;
/** Said early: from here on a busy build can reach the reserve within minutes. */
const LOW_TIMES_RESERVE = 3;

export function judgeDisk(freeBytes: number, totalBytes: number): DiskSpace {
  const reserveBytes = Math.floor(Math.min(MOST_RESERVE_BYTES, Math.max(LEAST_RESERVE_BYTES, totalBytes / 20), totalBytes / 8));
  const state = freeBytes < reserveBytes ? 'full' : freeBytes < LOW_TIMES_RESERVE * reserveBytes ? 'low' : 'ok';
  return { freeBytes, totalBytes, reserveBytes, state };
}

/** The space where a folder is, or will be made. */
export async function diskSpace(folder: string): Promise<DiskSpace> {
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    return judgeDisk(bavail * bsize, blocks * bsize);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && dirname(folder) !== folder) return diskSpace(dirname(folder));
    throw error;
  }
}

export const megabytes = (bytes: number): string => `${Math.round(bytes / 1_000_000)} MB`;

/** Throws DISK_FULL when the reserve is touched already: nothing new begins then. */
export async function requireReserve(folder: string, what: string): Promise<void> {
  const { freeBytes, reserveBytes, state } = await diskSpace(folder);
  if (state !== 'full') return;
  throw new VesselError('DISK_FULL', `${what}: only ${megabytes(freeBytes)} are free where environments have their disks, and ${megabytes(reserveBytes)} are kept for saving`, {
    hint: 'Free space on this host, or close or discard an environment, then try again.', details: { freeBytes, reserveBytes },
  });
}
