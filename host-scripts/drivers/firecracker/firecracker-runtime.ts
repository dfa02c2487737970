import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { TierSchema } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import { bootImage } from '../../current-image.ts';
import type { BootImage } from '../../current-image.ts';
import type { HostPaths } from '../../paths.ts';
import { runCommand } from '../../system/run-command.ts';
import type { RunUser } from '../../system/run-user.ts';
import { processorIdentity } from '../../templates/template-key.ts';
import { requireRunUser } from '../qemu/qemu-runtime.ts';
import { bootRequests } from './requests.ts';
import type { Programs } from './jail.ts';
import { ensureVmlinux } from './vmlinux.ts';

/** Raise when a snapshot of the same requests would no longer be what a clone expects. */
const SNAPSHOT_FORMAT = 1;
const KEY_LENGTH = 24;
const VERSION_DEADLINE_MS = 10_000;

/** What every machine of this host has in common just now. */
export type FirecrackerRuntime = {
  readonly boot: BootImage;
  readonly user: RunUser;
  readonly kernel: string;
  readonly version: string;
  readonly templateKey: (tier: Tier) => string;
};

/** The programs: `VESSEL_FIRECRACKER` and `VESSEL_JAILER`, else where provisioning puts them. */
export function firecrackerPrograms(env: Readonly<Record<string, string | undefined>>): Programs {
  return { firecracker: env['VESSEL_FIRECRACKER'] ?? '/usr/local/bin/firecracker', jailer: env['VESSEL_JAILER'] ?? '/usr/local/bin/jailer' };
}

/** `Firecracker v1.16.0` → `1.16.0`; null when it cannot be run. */
export async function firecrackerVersion(programs: Programs): Promise<string | null> {
  try {
    const { code, stdout } = await runCommand([programs.firecracker, '--version'], { deadlineMs: VERSION_DEADLINE_MS });
    return code === 0 ? /v(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1] ?? null : null;
  } catch {
    // Not installed, or not executable: both mean that there is none.
    return null;
  }
}

/** Throws HOST_NOT_READY, HOST_PERMISSION, IMAGE_MISSING. A mere `look` changes nothing. */
export async function firecrackerRuntime(paths: HostPaths, programs: Programs, isRoot: boolean, purpose: 'start' | 'look'): Promise<FirecrackerRuntime> {
  if (!isRoot) throw new VesselError('HOST_PERMISSION', 'the jailer must be started by root', { hint: 'Use the qemu driver on a host without root.' });
  const [version, user, boot, processor] = await Promise.all([firecrackerVersion(programs), requireRunUser(true), bootImage(paths, purpose), processorIdentity('kvm')]);
  if (version === null) throw new VesselError('HOST_NOT_READY', `${programs.firecracker} is not installed on this host`, { hint: 'Provision the host with the firecracker driver, or use the qemu driver.' });
  if (user === null) throw new VesselError('HOST_NOT_READY', 'the unprivileged user that runs microVMs does not exist yet');
  const kernel = join(paths.cache, 'kernels', `${boot.image.key}.vmlinux`);
  if (purpose === 'start') await ensureVmlinux(boot.image.kernel, kernel);
  return {
    boot, user, kernel, version,
    templateKey: (tier) => createHash('sha256').update(JSON.stringify([
      SNAPSHOT_FORMAT, 'firecracker', version, processor, boot.image.key, boot.image.buildId, boot.dataDisk.modifiedMs, bootRequests({ tier: TierSchema.parse(tier), commandLine: boot.image.commandLine }),
    ])).digest('hex').slice(0, KEY_LENGTH),
  };
}
