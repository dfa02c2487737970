import type { Tier } from '#shared/project.ts';
import type { TemplateAbility } from '../../drivers/driver.ts';
import type { HostPaths } from '../../paths.ts';
import type { TemplateStore } from '../../templates/template-store.ts';
import type { ProvisionStep } from '../step.ts';
import { acceleratorStep } from './accelerator.ts';
import { directoriesStep } from './directories.ts';
import { goldenImageStep } from './golden-image.ts';
import { isolationStep } from './isolation.ts';
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
};

/** Everything that makes a computer a host, in order. The probe comes after the image because it boots the image's kernel. */
export function allSteps(options: AllStepsOptions): readonly ProvisionStep[] {
  const { paths, isRoot } = options;
  return [
    platformStep(), packagesStep(isRoot ? HOST_PACKAGES : [...HOST_PACKAGES, ...UNPRIVILEGED_PACKAGES], isRoot), serviceUserStep(isRoot), directoriesStep(paths), isolationStep(isRoot),
    goldenImageStep(paths), acceleratorStep(paths), ...options.tiers.map((tier) => templateStep(tier, options.templates, options.store)),
  ];
}
