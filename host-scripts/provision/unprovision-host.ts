import { rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { HostResult, Vm } from '#shared/host-protocol.ts';
import type { HostPaths } from '../paths.ts';
import { errnoOf } from '../system/errno.ts';
import { compareWith, forgetBefore, readBefore } from './baseline.ts';
import { servingFolder } from '../infra-agent/presence.ts';
import { sweepMachineUsers } from '../system/machine-user.ts';
import { unprovision } from './engine.ts';
import type { Journal } from './journal.ts';
import type { ProvisionStep } from './step.ts';

export type UnprovisionHostOptions = {
  readonly paths: HostPaths;
  readonly steps: readonly ProvisionStep[];
  readonly journal: Journal;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly vms: readonly Vm[];
};

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    // Something else is in it, or it is gone: both are fine.
    if (!['ENOTEMPTY', 'ENOENT', 'EEXIST', 'EBUSY'].includes(errnoOf(error) ?? '')) throw error;
  }
}

/** Undoes provisioning, and removes the state folder itself if that was made for it. Throws BUSY while environments exist. */
export async function unprovisionHost(options: UnprovisionHostOptions): Promise<HostResult<'unprovision'>> {
  const { paths, journal, vms } = options;
  if (vms.length > 0) {
    throw new VesselError('BUSY', `${vms.length} environment(s) are still on this host: ${vms.map(({ id }) => id).join(', ')}`, { hint: 'Close them first: their work would be lost.' });
  }
  const ownFolders = (await journal.standing()).filter(({ step, item }) => step === 'directories' && paths.journal.startsWith(`${item}/`)).map(({ item }) => item);
  const before = await readBefore(paths);
  const undone = await unprovision(options);
  const proof = options.dryRun || before === null ? undefined : await compareWith(before);
  const result = proof === undefined ? undone : { ...undone, proof: [...proof] };
  if (options.dryRun || result.kept.length > 0) return result;
  await forgetBefore(paths);
  for (const name of ['image.json', 'driver.json']) await rm(join(paths.state, name), { force: true });
  // This very agent's sign, and those of others that serve: there is nothing left that could sleep.
  await rm(servingFolder(paths.state), { recursive: true, force: true });
  await sweepMachineUsers(paths.run);
  // No machine has a socket, and the journal that lay in the state folder is gone: what is empty now was Vessel's.
  for (const folder of [paths.run, paths.standby, paths.state, ...ownFolders.toSorted((one, other) => other.length - one.length)]) await removeIfEmpty(folder);
  return result;
}
