import { link, mkdir, open, readdir, readlink, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { exists } from '../../system/exists.ts';
import { TEMPLATE_FILES } from '../../templates/template-store.ts';
import { syncFolder } from '../../system/atomic-file.ts';
import { errnoOf } from '../../system/errno.ts';
import { runChecked } from '../../system/run-command.ts';

/** What a sleeping machine needs besides its own disk, in a folder of its own: then no image or template that is removed meanwhile can take it away. */
const FOLDER = 'frozen';
/** By these names a hypervisor has them open, whether they come from the cache or from an earlier sleep. */
const BASES = { root: 'root.img', dataBase: 'data.raw', templateDisk: TEMPLATE_FILES.disk } as const;
type Base = keyof typeof BASES;
const MEMORY = 'memory';
const COPY_DEADLINE_MS = 10 * 60_000;
const DELETED = ' (deleted)';

export const frozenMemory = (directory: string): string => join(directory, FOLDER, MEMORY);
export const frozenBase = (directory: string, base: Base): string => join(directory, FOLDER, BASES[base]);

/** The hypervisor's open files by their last name, as paths under /proc that lead to them even when they were deleted. */
async function openFiles(pid: number): Promise<ReadonlyMap<string, string>> {
  const folder = `/proc/${pid}/fd`;
  const found = new Map<string, string>();
  for (const name of await readdir(folder)) {
    // A descriptor may be closed between the two looks.
    const target = await readlink(join(folder, name)).catch(() => null);
    if (target?.startsWith('/') === true) found.set(basename(target.endsWith(DELETED) ? target.slice(0, -DELETED.length) : target), join(folder, name));
  }
  return found;
}

/** A second name for the open file, or a copy where that cannot be (another file system, or the file has no name any more). */
async function keep(opened: string, target: string, signal: AbortSignal): Promise<void> {
  const part = `${target}.part`;
  await rm(part, { force: true });
  const [path, inode] = [await readlink(opened), await stat(opened)];
  try {
    await link(path, part);
    if ((await stat(part)).ino === inode.ino) return await rename(part, target);
    await rm(part, { force: true });
  } catch (error) {
    if (!['EXDEV', 'ENOENT', 'EPERM', 'EMLINK'].includes(errnoOf(error) ?? '')) throw error;
  }
  await runChecked(['cp', '--reflink=auto', '--sparse=always', opened, part], { deadlineMs: COPY_DEADLINE_MS, signal });
  await rename(part, target);
}

/**
 * Makes sure that the disks below a running machine's own stay as long as it sleeps. May be repeated. Resolves to the layers it has.
 * Throws HIBERNATION_FAILED when one of them cannot be found.
 */
export async function keepBases(directory: string, hypervisorPid: number, signal: AbortSignal): Promise<void> {
  await mkdir(join(directory, FOLDER), { recursive: true, mode: 0o700 });
  const opened = await openFiles(hypervisorPid);
  for (const base of Object.keys(BASES) as Base[]) {
    const source = opened.get(BASES[base]);
    if (source === undefined) {
      // A machine that booted cold has no template below it.
      if (base === 'templateDisk') continue;
      throw new VesselError('HIBERNATION_FAILED', `the hypervisor has no file ${BASES[base]} open`);
    }
    const target = frozenBase(directory, base);
    if (await exists(target)) continue;
    await keep(source, target, signal);
  }
}

/** Gives the finished memory its name, on the disk for good. Resolves to the bytes it takes there. */
export async function sealMemory(directory: string, part: string, ownDisk: string): Promise<number> {
  const disk = await open(ownDisk, 'r');
  try {
    await disk.sync();
  } finally {
    await disk.close();
  }
  await rename(part, frozenMemory(directory));
  await syncFolder(join(directory, FOLDER));
  return (await stat(frozenMemory(directory))).size;
}
