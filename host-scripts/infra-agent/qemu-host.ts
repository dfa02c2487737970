import { TIERS, TierSchema } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import { VesselError } from '#shared/errors.ts';
import { examine } from '../doctor/check.ts';
import { hostStages } from '../doctor/host-stages.ts';
import { qemuDriver } from '../drivers/qemu/qemu-driver.ts';
import { sweepInterruptedBuilds } from '../drivers/qemu/build-template.ts';
import type { HostPaths } from '../paths.ts';
import { provision } from '../provision/engine.ts';
import { Journal } from '../provision/journal.ts';
import { allSteps } from '../provision/steps/all-steps.ts';
import { unprovisionHost } from '../provision/unprovision-host.ts';
import type { ProvisionStep } from '../provision/step.ts';
import { RecordStore } from '../records/record-store.ts';
import { TemplateStore } from '../templates/template-store.ts';
import { backgroundBuilder } from './background-builder.ts';
import type { HostParts } from './host-parts.ts';
import { qemuFacts } from './qemu-facts.ts';

const allTiers = Object.keys(TIERS).map((name) => TierSchema.parse(name));
const DEFAULT_TIERS: readonly Tier[] = ['medium'];

export type QemuHostOptions = {
  readonly paths: HostPaths;
  readonly isRoot: boolean;
  /** A long-lived agent makes missing templates in the background; a one-shot verb ends too early for that. */
  readonly background: boolean;
  readonly log: (text: string) => void;
};

/** The parts of a host that runs QEMU machines. */
export function qemuHost(options: QemuHostOptions): HostParts {
  const { paths, isRoot } = options;
  const store = new TemplateStore(paths.templates);
  const build = backgroundBuilder(() => driver.abilities.templates, options);
  const driver = qemuDriver({ paths, isRoot, records: new RecordStore(paths.vms), templates: store, templateWanted: build.want });
  const journal = new Journal(paths.journal);
  const stepsFor = (tiers: readonly Tier[]): readonly ProvisionStep[] => {
    const { templates } = driver.abilities;
    if (templates === null) throw new VesselError('INTERNAL', 'the qemu driver has templates');
    return allSteps({ paths, isRoot, templates, store, tiers });
  };
  const facts = (): ReturnType<HostParts['facts']> => qemuFacts(paths, isRoot, driver);
  return {
    driver, facts,
    doctor: () => examine(hostStages({ steps: stepsFor(DEFAULT_TIERS), facts, vms: () => driver.list(), signal: AbortSignal.timeout(120_000) })),
    provision: ({ dryRun, tiers }, context) => provision({ steps: stepsFor(tiers), journal, dryRun, signal: context.signal, report: context.steps, log: context.log }),
    close: build.close,
    async unprovision({ dryRun }, context) {
      if (!dryRun) await sweepInterruptedBuilds(store, paths.run, null);
      return unprovisionHost({ paths, steps: stepsFor(allTiers), journal, dryRun, signal: context.signal, vms: await driver.list() });
    },
  };
}
