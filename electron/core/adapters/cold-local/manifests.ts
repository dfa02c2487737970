import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ProjectSchema, RevisionSchema } from '#shared/project.ts';
import type { ColdStore, RevisionManifest } from '../../ports/cold-store.ts';
import { storeError, syncFolder } from './files.ts';

const ManifestSchema = z.object({
  v: z.literal(1),
  project: ProjectSchema.pick({ id: true, name: true, template: true, createdAt: true, settings: true }),
  revision: RevisionSchema,
});
const NAME = /^\d+\.json$/;

/** The manifests of a local cold store: `<root>/<project-id>/<rev>.json`. */
export function makeManifests(root: string): Pick<ColdStore, 'putManifest' | 'removeManifest' | 'manifests'> {
  const pathOf = (projectId: string, rev: number): string => join(root, projectId, `${rev}.json`);
  return {
    async putManifest(manifest) {
      const folder = join(root, manifest.project.id);
      const temporary = join(folder, `.manifest-${process.pid}-${crypto.randomUUID()}`);
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const handle = await open(temporary, 'wx', 0o600);
        try {
          await handle.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(temporary, pathOf(manifest.project.id, manifest.revision.rev));
        await syncFolder(folder);
      } catch (error) {
        await rm(temporary, { force: true });
        throw storeError(error);
      }
    },

    async removeManifest(projectId, rev) { await rm(pathOf(projectId, rev), { force: true }); },

    async manifests(onBad) {
      const found: RevisionManifest[] = [];
      for (const project of await readdir(root, { withFileTypes: true })) {
        if (!project.isDirectory()) continue;
        for (const name of (await readdir(join(root, project.name))).filter((candidate) => NAME.test(candidate))) {
          const path = join(root, project.name, name);
          try {
            found.push(ManifestSchema.parse(JSON.parse(await readFile(path, 'utf8'))));
          } catch (error) {
            onBad(path, error instanceof Error ? error.message : String(error));
          }
        }
      }
      return found.sort((a, b) => a.revision.rev - b.revision.rev);
    },
  };
}
