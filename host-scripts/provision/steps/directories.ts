import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import type { HostPaths } from '../../paths.ts';
import { errnoOf } from '../../system/errno.ts';
import type { ProvisionStep } from '../step.ts';

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** The path itself and its missing parents, outermost first. */
export async function missingOnTheWay(path: string): Promise<readonly string[]> {
  return await exists(path) ? [] : [...await missingOnTheWay(dirname(path)), path];
}

/** Folders for state and cache. What is in those we made goes with them; a folder that was there before stays. */
export function directoriesStep(paths: HostPaths): ProvisionStep {
  const wanted = [
    { path: paths.state, mode: 0o711 }, { path: paths.vms, mode: 0o700 }, { path: paths.traefik, mode: 0o755 },
    { path: paths.cache, mode: 0o711 }, { path: paths.images, mode: 0o711 }, { path: join(paths.cache, 'layers'), mode: 0o711 },
    { path: join(paths.cache, 'disks'), mode: 0o711 }, { path: paths.templates, mode: 0o711 },
  ];
  const missing = async (): Promise<typeof wanted> => {
    const present = await Promise.all(wanted.map(({ path }) => exists(path)));
    return wanted.filter((_, index) => present[index] === false);
  };
  return {
    id: 'directories', title: 'Folders for state and cache', weight: 1,
    async check() {
      const folders = await missing();
      return folders.length === 0
        ? { present: true, evidence: `${paths.state}, ${paths.cache}`, plan: [] }
        : { present: false, evidence: `${folders.length} are missing`, plan: folders.map(({ path }) => `create ${path}`) };
    },
    async run({ journal }) {
      for (const { path, mode } of await missing()) {
        for (const folder of await missingOnTheWay(path)) {
          // The journal lies in the state folder: writing the entry makes that one.
          await journal.record('directories', folder);
          await mkdir(folder, { recursive: true, mode });
        }
      }
    },
    async undo({ item }) {
      const ours = wanted.some(({ path }) => path === item || path.startsWith(`${item}/`));
      if (!ours) throw new VesselError('INTERNAL', `${item} is none of Vessel's folders`);
      if (paths.journal.startsWith(`${item}/`)) return null; // removed last, with the journal in it
      await rm(item, { recursive: true, force: true });
      return null;
    },
  };
}
