import { arch } from 'node:process';
import { VesselError } from '#shared/errors.ts';
import { readOsRelease } from '../../host-facts.ts';
import type { OsRelease } from '../../host-facts.ts';
import { nothingToUndo } from '../step.ts';
import type { ProvisionStep } from '../step.ts';

/** The oldest releases with a QEMU that has the `stream` network back end (7.2) or that are documented as supported. */
const OLDEST: Readonly<Record<string, number>> = { debian: 12, ubuntu: 22.04 };

export function isSupported(os: OsRelease, architecture: string): boolean {
  const oldest = OLDEST[os.id];
  return architecture === 'x64' && oldest !== undefined && Number.parseFloat(os.version) >= oldest;
}

/** The distribution and the processor: nothing can be installed to change them. */
export function platformStep(): ProvisionStep {
  return {
    id: 'platform', title: 'Distribution and processor', weight: 1, undo: nothingToUndo,
    async check() {
      const os = await readOsRelease();
      const evidence = `${os.name} on ${arch}`;
      return { present: isSupported(os, arch), evidence, plan: [] };
    },
    async run() {
      throw new VesselError('HOST_UNSUPPORTED', `${(await readOsRelease()).name} on ${arch} cannot be a host`);
    },
  };
}
