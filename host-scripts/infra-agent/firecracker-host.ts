import { join } from 'node:path';
import { TIERS, TierSchema } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import { examine } from '../doctor/check.ts';
import { disksOf, hostStages } from '../doctor/host-stages.ts';
import { SNAPSHOT_FILES } from '../drivers/firecracker/build-snapshot.ts';
import { firecrackerDriver } from '../drivers/firecracker/firecracker-driver.ts';
import { firecrackerPrograms, firecrackerVersion } from '../drivers/firecracker/firecracker-runtime.ts';
import { removeHostRules } from '../network/guest-namespace.ts';
import { provision } from '../provision/engine.ts';
import { Journal } from '../provision/journal.ts';
import { allSteps } from '../provision/steps/all-steps.ts';
import { programStep } from '../provision/steps/program.ts';
import { templateStep } from '../provision/steps/template.ts';
import type { ProvisionStep } from '../provision/step.ts';
import { unprovisionHost } from '../provision/unprovision-host.ts';
import { RecordStore } from '../records/record-store.ts';
import { TemplateStore } from '../templates/template-store.ts';
import { backgroundBuilder } from './background-builder.ts';
import type { HostParts } from './host-parts.ts';
import { qemuFacts } from './qemu-facts.ts';
import type { QemuHostOptions } from './qemu-host.ts';

const allTiers = Object.keys(TIERS).map((name) => TierSchema.parse(name));
const DEFAULT_TIERS: readonly Tier[] = ['medium'];

/** The parts of a host that runs Firecracker machines. QEMU is still there: it probes whether KVM really runs a guest. */
export function firecrackerHost(options: QemuHostOptions): HostParts {
  const { paths, isRoot } = options;
  const programs = firecrackerPrograms(process.env);
  const store = new TemplateStore(join(paths.cache, 'snapshots'), SNAPSHOT_FILES);
  const build = backgroundBuilder(() => driver.abilities.templates, options);
  const driver = firecrackerDriver({ paths, isRoot, records: new RecordStore(paths.vms), templates: store, programs, templateWanted: build.want });
  const { templates } = driver.abilities;
  const journal = new Journal(paths.journal);
  const stepsFor = (tiers: readonly Tier[]): readonly ProvisionStep[] => {
    if (templates === null) return [];
    return [
      ...allSteps({ paths, isRoot, templates, store, tiers: [], role: options.role, journal }),
      programStep({
        id: 'firecracker', title: 'Firecracker and its jailer', hint: `Install a Firecracker release: ${programs.firecracker} and ${programs.jailer}.`,
        look: async () => {
          const version = await firecrackerVersion(programs);
          return { present: version !== null, evidence: version === null ? `${programs.firecracker} does not run` : `firecracker ${version}` };
        },
      }),
      ...tiers.map((tier) => templateStep(tier, templates, store)),
    ];
  };
  const facts: HostParts['facts'] = async () => {
    const [common, version] = await Promise.all([qemuFacts(paths, isRoot, driver), firecrackerVersion(programs)]);
    return { ...common, driver: 'firecracker', ready: common.ready && isRoot && version !== null && common.accelerator.kind !== 'tcg' };
  };
  return {
    driver, facts,
    doctor: () => examine(hostStages({ steps: stepsFor(DEFAULT_TIERS), facts, vms: () => driver.list(), disks: disksOf(paths), signal: AbortSignal.timeout(120_000) })),
    provision: ({ dryRun, tiers }, context) => provision({ steps: stepsFor(tiers), journal, dryRun, signal: context.signal, report: context.steps, log: context.log }),
    close: build.close,
    async unprovision({ dryRun }, context) {
      const result = await unprovisionHost({ paths, steps: stepsFor(allTiers), journal, dryRun, signal: context.signal, vms: await driver.list() });
      // Made with the first guest, so no step knows of them; without guests nothing needs them.
      if (!dryRun && isRoot) await removeHostRules();
      return result;
    },
  };
}
