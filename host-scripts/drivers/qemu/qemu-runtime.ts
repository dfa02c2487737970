import { stat } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';
import type { Tier } from '#shared/project.ts';
import { kernelCommandLine } from '../../../images/recipe/index.ts';
import { decideAccelerator, rememberedVerdict } from '../../accelerator/accelerator.ts';
import { bootImage } from '../../current-image.ts';
import type { BootImage } from '../../current-image.ts';
import type { HostPaths } from '../../paths.ts';
import { errnoOf } from '../../system/errno.ts';
import { serviceUser } from '../../system/run-user.ts';
import type { RunUser } from '../../system/run-user.ts';
import { processorIdentity, templateKey } from '../../templates/template-key.ts';
import type { Accelerator } from './machine-arguments.ts';
import { qemuVersion } from './qemu-version.ts';

/** What every machine of this host has in common just now. */
export type QemuRuntime = {
  readonly boot: BootImage;
  readonly accelerator: Accelerator;
  readonly qemuVersion: string;
  readonly kernelCommandLine: string;
  /** The service user: each machine gets a uid of its own beside it. Null when the agent itself is unprivileged: machines then run as its user. */
  readonly user: RunUser | null;
  readonly templateKey: (tier: Tier) => string;
};

const GROUP_MAY_USE = 0o060;

/** The group that owns `/dev/kvm`, when it may use it and is not root's: machines run with it as their only group. */
async function kvmGroup(): Promise<number | null> {
  try {
    const { gid, mode } = await stat('/dev/kvm');
    return gid !== 0 && (mode & GROUP_MAY_USE) === GROUP_MAY_USE ? gid : null;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** The user that machines run as. Throws HOST_NOT_READY when the agent is root and the account is not made yet. */
export async function requireRunUser(isRoot: boolean): Promise<RunUser | null> {
  if (!isRoot) return null;
  const user = await serviceUser();
  if (user === null) throw new VesselError('HOST_NOT_READY', 'the unprivileged user that runs microVMs does not exist yet');
  const group = await kvmGroup();
  return group === null ? user : { ...user, gid: group, sharesGroup: true };
}

/**
 * Collects what a start needs to know. To `start` it may probe the accelerator and note down the image; a mere `look` changes
 * nothing. Throws HOST_NOT_READY, IMAGE_MISSING.
 */
export async function qemuRuntime(paths: HostPaths, isRoot: boolean, purpose: 'start' | 'look', signal: AbortSignal): Promise<QemuRuntime> {
  const [version, user, boot] = await Promise.all([qemuVersion(), requireRunUser(isRoot), bootImage(paths, purpose)]);
  if (version === null) throw new VesselError('HOST_NOT_READY', 'QEMU is not installed on this host');
  const verdict = purpose === 'start' ? await decideAccelerator(paths.cache, boot.image, user, signal) : await rememberedVerdict(paths.cache, user);
  if (verdict === null) throw new VesselError('HOST_NOT_READY', 'the accelerator was not probed since this host booted');
  const { kind, tscKhz } = verdict;
  const processor = await processorIdentity(kind);
  return {
    boot, accelerator: kind, qemuVersion: version, user,
    kernelCommandLine: kernelCommandLine(boot.image, kind === 'tcg' && tscKhz !== null ? { kind: 'tcg', tscKhz } : { kind: 'kvm' }),
    templateKey: (tier) => templateKey({ tier, accelerator: kind, qemuVersion: version, boot, processor }),
  };
}
