import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { examine, fine, worry } from '../doctor/check.ts';
import type { Finding } from '../doctor/check.ts';
import { disksOf, hostStages } from '../doctor/host-stages.ts';
import { IgniteCli } from '../drivers/ignite/ignite-cli.ts';
import { igniteDriver } from '../drivers/ignite/ignite-driver.ts';
import { igniteImages } from '../drivers/ignite/ignite-images.ts';
import { IgniteVms } from '../drivers/ignite/ignite-vms.ts';
import { provision } from '../provision/engine.ts';
import { Journal } from '../provision/journal.ts';
import { directoriesStep } from '../provision/steps/directories.ts';
import { platformStep } from '../provision/steps/platform.ts';
import { programStep } from '../provision/steps/program.ts';
import type { ProvisionStep } from '../provision/step.ts';
import { unprovisionHost } from '../provision/unprovision-host.ts';
import { RecordStore } from '../records/record-store.ts';
import type { RouteFolder } from '../routes/traefik-route.ts';
import type { HostParts } from './host-parts.ts';
import { qemuFacts } from './qemu-facts.ts';
import type { QemuHostOptions } from './qemu-host.ts';

const DATA_DIR = '/var/lib/firecracker';
/** Ignite does not notice an overlay that fills up. */
const FULL = 0.9;
const INSTALL_HINT = 'Install ignite v0.10.0 (ignite and ignited), containerd and the CNI plugins.';

async function seen(work: () => Promise<string>): Promise<{ readonly present: boolean; readonly evidence: string }> {
  try {
    return { present: true, evidence: await work() };
  } catch (error) {
    return { present: false, evidence: VesselError.from(error).message };
  }
}

/** The parts of a host that runs machines by Ignite. */
export function igniteHost({ paths, isRoot }: QemuHostOptions, routes: RouteFolder): HostParts {
  const cli = new IgniteCli({ ignite: process.env['VESSEL_IGNITE'] ?? 'ignite', ctr: process.env['VESSEL_CTR'] ?? 'ctr' }, join(paths.state, 'ignite.lock'));
  const images = (): ReturnType<typeof igniteImages> => igniteImages(paths.state, process.env);
  const records = new RecordStore(paths.vms);
  const vms = new IgniteVms(cli, DATA_DIR);
  const driver = igniteDriver({
    records, vms, images,
    moved: async ({ id, address }) => { if (address !== null) await routes.write({ id, ...address }); },
  });
  const version = (): Promise<{ readonly present: boolean; readonly evidence: string }> => seen(async () => /GitVersion:"([^"]+)"/.exec(await cli.run(['version']))?.[1] ?? 'of an unknown version');
  const steps: readonly ProvisionStep[] = [
    platformStep(), directoriesStep(paths),
    programStep({ id: 'ignite', title: 'Ignite', hint: INSTALL_HINT, look: version }),
    programStep({ id: 'containerd', title: 'containerd', hint: INSTALL_HINT, look: () => seen(async () => `${(await cli.tasks()).size} machines run`) }),
    programStep({ id: 'ignite-image', title: 'Guest image in containerd', hint: 'Build images/Dockerfile and import it; see docs/infra-agent.md.', look: () => seen(async () => (await images()).image) }),
  ];
  async function disks(): Promise<Finding> {
    const uses = await Promise.all((await records.list()).map(async ({ id, record }) => ({ id, use: record?.hypervisorId == null ? 0 : await vms.diskUse(record.hypervisorId) })));
    const full = uses.filter(({ use }) => use >= FULL);
    if (full.length === 0) return fine('none is nearly full');
    return worry(full.map(({ id, use }) => `${id}: ${Math.round(use * 100)} % used`).join(', '), 'Save & Exit them and open them again: a full overlay loses the disk.');
  }
  const journal = new Journal(paths.journal);
  const facts: HostParts['facts'] = async () => {
    const [common, ignite, image] = await Promise.all([qemuFacts(paths, isRoot, driver), version(), seen(async () => (await images()).image)]);
    return { ...common, driver: 'ignite', templates: [], ready: isRoot && ignite.present && image.present };
  };
  return {
    driver, facts,
    doctor: () => examine([...hostStages({ steps, facts, vms: () => driver.list(), disks: disksOf(paths), signal: AbortSignal.timeout(120_000) }), { stage: 'Disks of the environments', look: disks }]),
    provision: ({ dryRun }, context) => provision({ steps, journal, dryRun, signal: context.signal, report: context.steps, log: context.log }),
    close: () => Promise.resolve(),
    unprovision: async ({ dryRun }, context) => unprovisionHost({ paths, steps, journal, dryRun, signal: context.signal, vms: await driver.list() }),
  };
}
