import type { RevisionManifest } from '../ports/cold-store.ts';
import { audit, type ServiceContext } from './context.ts';
import { writeManifest } from './revisions.ts';

type Needs = Pick<ServiceContext, 'store' | 'cold' | 'runtime' | 'feed'>;

/** Rebuilds projects and revisions in an empty database from the manifests beside the archives. Returns how many projects it found. */
export async function reindex(needs: Needs): Promise<number> {
  const { store, cold, runtime } = needs;
  const manifests = await cold.manifests((path, why) => runtime.log(`manifest ${path} is skipped: ${why}`));
  const newest = new Map<string, RevisionManifest>();
  for (const manifest of manifests) newest.set(manifest.project.id, manifest);
  for (const { project } of newest.values()) {
    if (store.projects.get(project.id) === null) store.projects.insert({ ...project, hostId: 'local' });
  }
  const archives = new Map<string, ReadonlySet<string>>();
  for (const id of newest.keys()) archives.set(id, new Set((await cold.list(id)).map((archive) => archive.sha256)));
  for (const { revision } of manifests) {
    if (archives.get(revision.projectId)?.has(revision.sha256) === true) store.revisions.adopt(revision);
    else runtime.log(`revision ${revision.rev} of ${revision.projectId} has no archive any more`);
  }
  audit(needs, { kind: 'store.reindexed', text: `Rebuilt ${newest.size} projects from the cold store` });
  return newest.size;
}

/** Writes the manifests that a crash prevented. */
export async function healManifests(needs: Needs): Promise<void> {
  for (const revision of needs.store.revisions.withoutManifest()) await writeManifest(needs, revision);
}
