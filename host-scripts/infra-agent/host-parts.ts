import type { DoctorResult, HostFacts, HostResult } from '#shared/host-protocol.ts';
import type { Tier } from '#shared/project.ts';
import type { DriverWithAbilities } from '../drivers/driver.ts';
import type { AllStepsOptions } from '../provision/steps/all-steps.ts';
import type { RequestContext } from './request-context.ts';

/** What differs between a host of real machines and a host of the test driver. */
export type HostParts = {
  readonly driver: DriverWithAbilities;
  readonly facts: () => Promise<HostFacts>;
  readonly doctor: () => Promise<DoctorResult>;
  readonly provision: (params: { readonly dryRun: boolean; readonly tiers: readonly Tier[] } & Pick<AllStepsOptions, 'image' | 'traefik' | 'drivers' | 'driverFiles'>, context: RequestContext) => Promise<HostResult<'provision'>>;
  readonly unprovision: (params: { readonly dryRun: boolean }, context: RequestContext) => Promise<HostResult<'unprovision'>>;
  /** Absent where no clone can be kept ready. */
  readonly standby?: (params: { readonly tier: Tier | null }) => Promise<HostResult<'standby'>>;
  /** Ends work in the background and waits for it; nothing of it is left half done. */
  readonly close: () => Promise<void>;
};
