import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { errnoOf } from '../../system/errno.ts';
import { runChecked } from '../../system/run-command.ts';
import { QEMU } from './machine-arguments.ts';

const VERSION_DEADLINE_MS = 10_000;
const known = new Map<string, string>();

async function findProgram(name: string): Promise<{ readonly path: string; readonly fingerprint: string } | null> {
  for (const folder of (process.env['PATH'] ?? '/usr/bin').split(':')) {
    try {
      const path = join(folder, name);
      const { ino, size, mtimeMs } = await stat(path);
      return { path, fingerprint: `${path}:${ino}:${size}:${mtimeMs}` };
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
  return null;
}

/** The hypervisor's full version with the distribution's package, or null when it is not installed. Asked again when the program changed. */
export async function qemuVersion(): Promise<string | null> {
  const program = await findProgram(QEMU);
  if (program === null) return null;
  const remembered = known.get(program.fingerprint);
  if (remembered !== undefined) return remembered;
  const { stdout } = await runChecked([program.path, '--version'], { deadlineMs: VERSION_DEADLINE_MS });
  const version = /version\s+(.*)/.exec(stdout)?.[1]?.trim();
  if (version === undefined) throw new VesselError('HOST_NOT_READY', `${program.path} does not tell its version`);
  known.set(program.fingerprint, version);
  return version;
}
