import { createHash } from 'node:crypto';
import { chown, copyFile, link, mkdir, rm, rmdir, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { constants } from 'node:fs';
import { errnoOf } from '../../system/errno.ts';
import { runChecked } from '../../system/run-command.ts';
import { ensureRunFolder } from '../../system/run-folder.ts';
import type { RunUser } from '../../system/run-user.ts';

/** Jails' cgroups lie below this one. */
const PARENT_CGROUP = 'vessel';
/** A microVM is one process with some threads: one per processor, one for the API, one for devices. */
const MAX_THREADS = 64;
const COPY_DEADLINE_MS = 10 * 60_000;
const HASH_LENGTH = 16;

export type Programs = { readonly firecracker: string; readonly jailer: string };
export type Jail = {
  /** Name of the microVM for the jailer: letters, digits and hyphens only. */
  readonly id: string;
  readonly base: string;
  /** What the machine sees as `/`. */
  readonly root: string;
};

/** The jail of what lives in `directory`, inside of it: whoever removes the folder removes the jail. The layout is the jailer's own. */
export function jailOf(directory: string, programs: Programs): Jail {
  const id = createHash('sha256').update(directory).digest('hex').slice(0, HASH_LENGTH);
  const base = join(directory, 'jail');
  return { id, base, root: join(base, basename(programs.firecracker), id, 'root') };
}

/** The jailer's command line. It makes the devices, enters the namespace, gives up root and becomes firecracker in the same process. */
export function jailerArguments(jail: Jail, programs: Programs, given: { readonly user: RunUser; readonly namespacePath: string; readonly cgroupVersion: 1 | 2 }): readonly [string, ...string[]] {
  return [
    programs.jailer, '--id', jail.id, '--exec-file', programs.firecracker, '--uid', String(given.user.uid), '--gid', String(given.user.gid),
    '--chroot-base-dir', jail.base, '--netns', given.namespacePath, '--cgroup-version', String(given.cgroupVersion), '--parent-cgroup', PARENT_CGROUP, '--cgroup', `pids.max=${MAX_THREADS}`,
    '--', '--api-sock', '/api.sock',
  ];
}

export async function cgroupVersion(): Promise<1 | 2> {
  try {
    await stat('/sys/fs/cgroup/cgroup.controllers');
    return 2;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 1;
    throw error;
  }
}

/**
 * Makes a fresh jail, and a short way to its sockets: a unix socket's path may have 107 bytes. The jailer refuses a jail that was used
 * before, so whatever must last lies outside and is linked in.
 */
export async function makeJail(jail: Jail, socketDir: string, user: RunUser): Promise<void> {
  await rm(jail.base, { recursive: true, force: true });
  await mkdir(jail.root, { recursive: true, mode: 0o700 });
  await chown(jail.root, user.uid, user.gid);
  await ensureRunFolder(dirname(socketDir));
  await rm(socketDir, { recursive: true, force: true });
  await mkdir(socketDir, { mode: 0o700 });
  await symlink(jail.root, join(socketDir, 'root'));
}

/** The same file under a second name where the file system allows it, else a copy that shares or omits what it can. */
export async function linkOrCopy(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK'].includes(errnoOf(error) ?? '')) throw error;
    await copySparse(source, target);
  }
}

/** A file of its own; holes stay holes. */
export async function copySparse(source: string, target: string): Promise<void> {
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE);
  } catch (error) {
    if (!['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY'].includes(errnoOf(error) ?? '')) throw error;
    await runChecked(['cp', '--sparse=always', source, target], { deadlineMs: COPY_DEADLINE_MS });
  }
}

/** Removes what the jailer leaves outside of the jail. */
export async function removeCgroups(jail: Pick<Jail, 'id'>, version: 1 | 2): Promise<void> {
  const roots = version === 2 ? ['/sys/fs/cgroup'] : ['/sys/fs/cgroup/pids'];
  for (const root of roots) {
    try {
      await rmdir(join(root, PARENT_CGROUP, jail.id));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}
