import { RequestedDriverSchema } from '#shared/host-protocol.ts';
import { TIERS, TierSchema } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import { VesselError } from '#shared/errors.ts';
import { examine } from '../doctor/check.ts';
import { disksOf, hostStages } from '../doctor/host-stages.ts';
import { qemuDriver, qemuRecognition } from '../drivers/qemu/qemu-driver.ts';
import { qemuRuntime } from '../drivers/qemu/qemu-runtime.ts';
import { StandbyKeeper } from '../drivers/qemu/standby.ts';
import { ensureIsolation } from '../network/isolation.ts';
import { sweepInterruptedBuilds } from '../drivers/qemu/build-template.ts';
import type { HostPaths, HostRole } from '../paths.ts';
import { countBefore } from '../provision/baseline.ts';
import { provision } from '../provision/engine.ts';
import { Journal } from '../provision/journal.ts';
import { allSteps, type AllStepsOptions } from '../provision/steps/all-steps.ts';
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
  readonly role: HostRole;
  /** A long-lived agent makes missing templates in the background; a one-shot verb ends too early for that. */
  readonly background: boolean;
  readonly log: (text: string) => void;
};

type Sent = Pick<AllStepsOptions, 'image' | 'traefik' | 'drivers' | 'driverFiles'>;

/** The parts of a host that runs QEMU machines. */
export function qemuHost(options: QemuHostOptions): HostParts {
  const { paths, isRoot } = options;
  const store = new TemplateStore(paths.templates);
  const build = backgroundBuilder(() => driver.abilities.templates, options);
  const standbys = new RecordStore(paths.standby);
  const standby = new StandbyKeeper({
    records: standbys, recognition: (id) => qemuRecognition(paths, standbys.directory(id)), log: options.log, eager: process.env['VESSEL_STANDBY'] === 'eager',
    runtime: (signal) => qemuRuntime(paths, isRoot, 'start', signal),
    lookup: async (runtime, tier) => (await store.lookup(runtime.templateKey(tier))).template,
    isolate: async ({ user }) => { if (user !== null) await ensureIsolation(user); },
  });
  // For tests: `off` keeps none, `eager` does not wait for a calm moment.
  const keepsStandby = options.background && process.env['VESSEL_STANDBY'] !== 'off';
  const driver = qemuDriver({ paths, isRoot, records: new RecordStore(paths.vms), templates: store, templateWanted: build.want, standby: keepsStandby ? standby : null });
  const journal = new Journal(paths.journal);
  const stepsFor = (tiers: readonly Tier[], sent: Sent = {}): readonly ProvisionStep[] => {
    const { templates } = driver.abilities;
    if (templates === null) throw new VesselError('INTERNAL', 'the qemu driver has templates');
    return allSteps({ paths, isRoot, templates, store, tiers, role: options.role, journal, ...sent });
  };
  const facts = (): ReturnType<HostParts['facts']> => qemuFacts(paths, isRoot, driver, standby.state);
  return {
    driver, facts,
    doctor: () => examine(hostStages({ steps: stepsFor(DEFAULT_TIERS), facts, vms: () => driver.list(), disks: disksOf(paths), signal: AbortSignal.timeout(120_000) })),
    async provision({ dryRun, tiers, ...sent }, context) {
      if (!dryRun) await countBefore(paths, journal);
      return provision({ steps: stepsFor(tiers, sent), journal, dryRun, signal: context.signal, report: context.steps, log: context.log });
    },
    async standby({ tier }) {
      if (keepsStandby) standby.want(tier);
      return Promise.resolve({ state: standby.state });
    },
    async close() { await Promise.all([build.close(), standby.close()]); },
    async unprovision({ dryRun }, context) {
      if (!dryRun) await standby.rest();
      if (!dryRun) await sweepInterruptedBuilds(store, paths.run, null);
      return unprovisionHost({ paths, steps: stepsFor(allTiers, { drivers: RequestedDriverSchema.options }), journal, dryRun, signal: context.signal, vms: await driver.list() });
    },
  };
}
