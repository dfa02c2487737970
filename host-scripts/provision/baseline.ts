import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { UnprovisionResult } from '#shared/host-protocol.ts';
import type { HostPaths } from '../paths.ts';
import { readFileOrNull, writeFileAtomic } from '../system/atomic-file.ts';
import { errnoOf } from '../system/errno.ts';
import { runCommand } from '../system/run-command.ts';
import type { Journal } from './journal.ts';
import { missingOnTheWay } from './steps/directories.ts';

const DEADLINE_MS = 30_000;
const BaselineSchema = z.record(z.string(), z.array(z.string()));
export type Baseline = z.infer<typeof BaselineSchema>;
type Proof = NonNullable<UnprovisionResult['proof']>;

const baselinePath = (paths: HostPaths): string => join(paths.state, 'before.json');

/** What provisioning could leave behind, as lists of names. */
export async function countHost(): Promise<Baseline> {
  const lines = async (argv: readonly [string, ...string[]]): Promise<string[]> => {
    // A program that cannot be started has nothing to list: nft comes with provisioning.
    const { code, stdout } = await runCommand(argv, { deadlineMs: DEADLINE_MS }).catch(() => ({ code: 1, stdout: '' }));
    return code === 0 ? stdout.split('\n').filter((line) => line !== '').sort() : [];
  };
  const accounts = async (path: string): Promise<string[]> => (await readFile(path, 'utf8')).split('\n').map((line) => line.split(':')[0] ?? '').filter((name) => name !== '').sort();
  const files = async (folder: string): Promise<string[]> => {
    try {
      return (await readdir(folder)).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  };
  return {
    packages: await lines(['dpkg-query', '--show', '--showformat', '${Package} ${Version}\n']),
    users: await accounts('/etc/passwd'), groups: await accounts('/etc/group'),
    units: await files('/etc/systemd/system'), 'packet filter tables': await lines(['nft', 'list', 'tables']),
    'module lists': await files('/etc/modules-load.d'), '/usr/local/bin': await files('/usr/local/bin'), '/etc': await files('/etc'),
  };
}

/** Counts before the first change; later runs leave that alone. */
export async function countBefore(paths: HostPaths, journal: Journal): Promise<void> {
  if (await readFileOrNull(baselinePath(paths)) !== null || (await journal.standing()).length > 0) return;
  const counted = await countHost();
  // Writing the journal makes the state folder: what of its path is new has to stand in it first.
  for (const folder of await missingOnTheWay(paths.state)) await journal.record('directories', folder);
  await writeFileAtomic(baselinePath(paths), JSON.stringify(counted), { mode: 0o600, durable: true });
}

export async function readBefore(paths: HostPaths): Promise<Baseline | null> {
  const text = await readFileOrNull(baselinePath(paths));
  return text === null ? null : BaselineSchema.parse(JSON.parse(text));
}

export const forgetBefore = (paths: HostPaths): Promise<void> => rm(baselinePath(paths), { force: true });

/** What differs now from what was counted then. Others may have worked on the host meanwhile: it is shown, not judged. */
export async function compareWith(before: Baseline): Promise<Proof> {
  const now = await countHost();
  return Object.entries(before).map(([what, names]) => {
    const after = now[what] ?? [];
    return { what, before: names.length, after: after.length, added: after.filter((name) => !names.includes(name)), gone: names.filter((name) => !after.includes(name)) };
  });
}
