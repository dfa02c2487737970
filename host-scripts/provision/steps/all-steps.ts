import type { DeliveredFile, DeliveredImage, RequestedDriver } from '#shared/host-protocol.ts';
import type { Tier } from '#shared/project.ts';
import { deliveredImage, pointedImage } from '../../current-image.ts';
import type { TemplateAbility } from '../../drivers/driver.ts';
import { rememberedVerdict } from '../../accelerator/accelerator.ts';
import { serviceUser } from '../../system/run-user.ts';
import { DRIVER_RELEASES } from '../driver-steps/driver-releases.ts';
import { driverStep } from '../driver-steps/driver-step.ts';
import type { HostPaths, HostRole } from '../../paths.ts';
import { runCommand } from '../../system/run-command.ts';
import type { TemplateStore } from '../../templates/template-store.ts';
import type { Journal } from '../journal.ts';
import { idleTimerStep } from '../server-steps/idle-timer.ts';
import { kernelModulesStep } from '../server-steps/kernel-modules.ts';
import { portsStep } from '../server-steps/ports.ts';
import { resourcesStep } from '../server-steps/resources.ts';
import { traefikStep } from '../server-steps/traefik.ts';
import type { ProvisionStep } from '../step.ts';
import { acceleratorStep } from './accelerator.ts';
import { directoriesStep } from './directories.ts';
import { goldenImageStep } from './golden-image.ts';
import { isolationStep } from './isolation.ts';
import { kvmAccessStep } from './kvm-access.ts';
import { HOST_PACKAGES, UNPRIVILEGED_PACKAGES, packagesStep } from './packages.ts';
import { platformStep } from './platform.ts';
import { serviceUserStep } from './service-user.ts';
import { templateStep } from './template.ts';

export type AllStepsOptions = {
  readonly paths: HostPaths;
  readonly isRoot: boolean;
  readonly templates: TemplateAbility;
  readonly store: TemplateStore;
  readonly tiers: readonly Tier[];
  /** `server`: a machine that is there for its environments, reached over SSH; see docs/ssh-hosts.md. `desktop`: this computer, where a person works. */
  readonly role: HostRole;
  readonly journal: Journal;
  /** What the caller has put on the host instead of having it built or fetched there. */
  readonly image?: DeliveredImage | undefined;
  readonly traefik?: DeliveredFile | undefined;
  readonly drivers?: readonly RequestedDriver[] | undefined;
  readonly driverFiles?: readonly DeliveredFile[] | undefined;
};

/** Everything that makes a computer a host, in order. The probe comes after the image because it boots the image's kernel. */
export function allSteps(options: AllStepsOptions): readonly ProvisionStep[] {
  const { paths, isRoot, journal } = options;
  const server = options.role === 'server';
  const imageIsSent = async (): Promise<boolean> => options.image !== undefined || await deliveredImage(paths) !== null;
  const releases = (options.drivers ?? []).map((name) => DRIVER_RELEASES[name]);
  const packages = async (): Promise<readonly string[]> => {
    const wanted: readonly string[] = isRoot ? HOST_PACKAGES : [...HOST_PACKAGES, ...UNPRIVILEGED_PACKAGES];
    const ofDrivers = releases.flatMap((release) => release.packages).filter((name) => !wanted.includes(name));
    // A server has no npm, and building an image takes packages from the registry.
    return [...wanted, ...ofDrivers, ...(server && !await imageIsSent() && !await hasProgram('npm') ? ['npm'] : [])];
  };
  return [
    platformStep(),
    ...(server ? [resourcesStep(paths, async () => await pointedImage(paths) !== null), portsStep()] : []),
    packagesStep(packages, isRoot), serviceUserStep(isRoot),
    ...(server ? [kernelModulesStep()] : []),
    kvmAccessStep({ isRoot, journal }),
    directoriesStep(paths), isolationStep(isRoot),
    goldenImageStep(paths, options.image), acceleratorStep(paths), ...options.tiers.map((tier) => templateStep(tier, options.templates, options.store)),
    ...releases.map((release) => driverStep({ release, journal, delivered: options.driverFiles ?? [], accelerator: async () => rememberedVerdict(paths.cache, isRoot ? await serviceUser() : null) })),
    ...(server ? [traefikStep(paths, journal, options.traefik), idleTimerStep(journal)] : []),
  ];
}

async function hasProgram(name: string): Promise<boolean> {
  return (await runCommand(['sh', '-c', 'command -v "$1" >/dev/null', 'sh', name], { deadlineMs: 5_000 })).code === 0;
}
