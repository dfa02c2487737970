import { VesselError } from '#shared/errors.ts';
import type { ServiceContext } from '../context.ts';
import { audit } from '../context.ts';

/** Writes every archive once, and beside them what is known of each project, into `<path>/<project id>/`. Throws ARCHIVE_CORRUPT, CONFLICT when the folder holds something. */
export async function exportAll({ store, cold, files, runtime }: ServiceContext, path: string, signal: AbortSignal): Promise<{ readonly path: string; readonly projects: number; readonly archives: number; readonly bytes: number }> {
  await files.freshFolder(path);
  const projects = store.projects.list(true);
  let archives = 0;
  let bytes = 0;
  for (const project of projects) {
    const folder = `${path}/${project.id}`;
    await files.freshFolder(folder);
    const revisions = store.revisions.list(project.id);
    for (const [sha256, rev] of new Map([...revisions].reverse().map((revision) => [revision.sha256, revision.rev]))) {
      if (signal.aborted) throw new VesselError('CANCELLED');
      const written = await files.write(`${folder}/${project.id}-r${rev}.zip`, await cold.open(project.id, sha256), { signal, expectSha256: sha256 });
      archives += 1;
      bytes += written.bytes;
    }
    await files.writeText(`${folder}/project.json`, `${JSON.stringify({ v: 1, exportedAt: runtime.now(), project, revisions }, null, 2)}\n`);
  }
  audit({ store, runtime }, { kind: 'export.all', text: `Exported ${archives} archives of ${projects.length} projects`, data: { path } });
  return { path, projects: projects.length, archives, bytes };
}
