import { VesselError } from '#shared/errors.ts';
import type { Tier } from '#shared/project.ts';
import { kernelCommandLine } from '../../../images/recipe/index.ts';
import { decideAccelerator, rememberedVerdict } from '../../accelerator/accelerator.ts';
import { kvmGroup } from '../../accelerator/kvm-access.ts';
import { bootImage } from '../../current-image.ts';
import type { BootImage } from '../../current-image.ts';
import type { HostPaths } from '../../paths.ts';
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
