import { stat } from 'node:fs/promises';
import { errnoOf } from '../system/errno.ts';
import { probeUser } from '../system/machine-user.ts';
import { runCommand } from '../system/run-command.ts';
import type { RunUser } from '../system/run-user.ts';

export const KVM_DEVICE = '/dev/kvm';
const DEADLINE_MS = 5_000;

/** The rights of the device as they are now: owner, group and mode. Null when there is none. */
export async function kvmRights(device = KVM_DEVICE): Promise<string | null> {
  try {
    const { uid, gid, mode } = await stat(device);
    return `${uid}:${gid}:${(mode & 0o7777).toString(8)}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** The user that stands for any machine when the device is tried: without root (null) this process itself. */
export async function kvmUser(service: RunUser | null, device = KVM_DEVICE): Promise<RunUser | null> {
  if (service === null) return null;
  const group = await kvmGroup(device);
  return probeUser(group === null ? service : { ...service, gid: group, sharesGroup: true });
}

/**
 * What a verdict about the device holds for: its rights, and whether it opens. The rights alone do not tell: an access list counts too, and so
 * does a group that a person was put into. Null when there is none.
 */
export async function kvmFingerprint(service: RunUser | null, device = KVM_DEVICE): Promise<string | null> {
  const rights = await kvmRights(device);
  if (rights === null) return null;
  return `${rights}:${await kvmRefusal(await kvmUser(service, device), device) === null ? 'opens' : 'refused'}`;
}

/**
 * Why `user` may not open the device, in words, or null when it may. Tried as that user, because an access list counts too; null for the
 * user means this process.
 */
export async function kvmRefusal(user: RunUser | null, device = KVM_DEVICE): Promise<string | null> {
  const tried = await runCommand(['test', '-r', device, '-a', '-w', device], { deadlineMs: DEADLINE_MS, ...(user === null ? {} : { uid: user.uid, gid: user.gid }) });
  if (tried.code === 0) return null;
  const { uid, gid, mode } = await stat(device);
  return `${device} exists, but ${user === null ? 'your user' : `the user ${user.name}`} may not open it (owner ${uid}, group ${gid}, mode ${(mode & 0o777).toString(8).padStart(4, '0')})`;
}

const GROUP_MAY_USE = 0o060;

/** The group that owns the device, when it may use it and is not root's: machines run with it as their only group. */
export async function kvmGroup(device = KVM_DEVICE): Promise<number | null> {
  try {
    const { gid, mode } = await stat(device);
    return gid !== 0 && (mode & GROUP_MAY_USE) === GROUP_MAY_USE ? gid : null;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}
