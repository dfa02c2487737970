import type { HostFacts, Vm } from '#shared/host-protocol.ts';
import { diskSpace } from '../disk/disk-space.ts';
import { hostResolvers } from '../network/isolation.ts';
import type { HostPaths } from '../paths.ts';
import type { ProvisionStep } from '../provision/step.ts';
import { broken, fine, skipped, worry } from './check.ts';
import type { DoctorStage } from './check.ts';

const GIGABYTE = 1_000_000_000;
/** An image being rebuilt, a template and a few environments' disks. */
const DISK_WANTED_BYTES = 5 * GIGABYTE;

export type DoctorInput = {
  readonly steps: readonly ProvisionStep[];
  readonly facts: () => Promise<HostFacts>;
  readonly vms: () => Promise<readonly Vm[]>;
  /** What lies where, the environments' own disks first. */
  readonly disks: readonly { readonly what: string; readonly folder: string }[];
  readonly signal: AbortSignal;
};

/** The disks that matter: what environments write, and what they are made from. They may be two. */
export const disksOf = (paths: HostPaths): DoctorInput['disks'] => [{ what: 'environments', folder: paths.vms }, { what: 'images and templates', folder: paths.cache }];

/** A provisioning step's own check, read as a doctor's stage: what is missing is fixed by provisioning. */
function stageOfStep(step: ProvisionStep, signal: AbortSignal): DoctorStage {
  return {
    stage: step.title,
    async look() {
      const { present, evidence, skipped: left } = await step.check(signal);
      if (left === true) return skipped(evidence);
      if (present) return fine(evidence);
      // Without a template or a probe environments still start, only slower or later.
      const optional = step.id.startsWith('template-') || ['accelerator', 'kvm-access'].includes(step.id);
      const fix = step.id === 'platform' ? 'Use Debian 12+ or Ubuntu 22.04+ on x86_64.' : 'Provision this host: vessel host provision local';
      return optional ? worry(evidence, fix) : broken(evidence, fix);
    },
  };
}

/** The step from which on it is about the way to environments, no longer about what runs them. */
const FIRST_OF_THE_WAY = 'traefik';

/** The examination of a host, from what everything else needs to what single environments need. */
export function hostStages(input: DoctorInput): readonly DoctorStage[] {
  const found = input.steps.findIndex(({ id }) => id === FIRST_OF_THE_WAY);
  const way = found === -1 ? input.steps.length : found;
  return [
    ...input.steps.slice(0, way).map((step) => stageOfStep(step, input.signal)),
    {
      stage: 'Driver',
      async look() {
        const { driver, qemuVersion } = await input.facts();
        return qemuVersion === null ? broken('no QEMU', 'Provision this host: vessel host provision local') : fine(`${driver}, QEMU ${qemuVersion}`);
      },
    },
    ...input.steps.slice(way).map((step) => stageOfStep(step, input.signal)),
    {
      stage: 'Free memory',
      async look() {
        const { capacity, memoryAvailableBytes } = await input.facts();
        const evidence = `${(memoryAvailableBytes / GIGABYTE).toFixed(1)} GB free: ${capacity.more} more environments fit beside ${capacity.running}`;
        return capacity.more > 0 ? fine(evidence) : worry(evidence, 'Close an environment or another program.');
      },
    },
    {
      stage: 'Free disk',
      async look() {
        const spaces = await Promise.all(input.disks.map(async ({ what, folder }) => ({ what, folder, ...await diskSpace(folder) })));
        const evidence = spaces.map(({ what, folder, freeBytes }) => `${(freeBytes / GIGABYTE).toFixed(1)} GB free for ${what} (${folder})`).join(', ');
        const full = spaces.find(({ state }) => state === 'full');
        if (full !== undefined) return broken(evidence, `Free space at ${full.folder}: no environment starts, and one that writes much stands still until there is more.`);
        const tight = spaces.find(({ freeBytes, state }) => state === 'low' || freeBytes < DISK_WANTED_BYTES);
        return tight === undefined ? fine(evidence) : worry(evidence, `Free at least 5 GB at ${tight.folder}.`);
      },
    },
    {
      stage: 'Name resolution',
      async look() {
        const resolvers = await hostResolvers();
        return resolvers.length > 0 ? fine(`guests use ${resolvers[0]} through their network`) : worry('this host has no IPv4 resolver', 'Add a nameserver to /etc/resolv.conf, or guests cannot resolve names.');
      },
    },
    {
      stage: 'Environments',
      async look() {
        const vms = await input.vms();
        if (vms.length === 0) return skipped('none on this host');
        const bad = vms.filter(({ state }) => state === 'broken' || state === 'stopped');
        return bad.length === 0
          ? fine(`${vms.length} running or starting`)
          : worry(bad.map(({ id, problem }) => `${id}: ${problem ?? 'stopped'}`).join('; '), `Stop what you do not need: infra-agent stop ${bad[0]?.id ?? ''}`);
      },
    },
  ];
}
