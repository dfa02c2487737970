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

/**
 * Removes archives that no revision names: what a crash left between writing and recording. Only where nothing runs and nothing
 * ended by itself, because next to a dead environment such an archive may be the newest copy there is.
 */
export async function sweepArchives(needs: Needs, isBusy: (projectId: string) => boolean): Promise<number> {
  const { store, cold, runtime } = needs;
  let removed = 0;
  for (const { id, head, environment } of store.projects.list(true)) {
    // Without a head the project is just being made.
    const rests = head !== null && (environment === null || environment.state === 'destroyed');
    if (!rests || isBusy(id)) continue;
    for (const { sha256 } of await cold.list(id)) {
      if (store.revisions.isUsed(id, sha256) || isBusy(id)) continue;
      await cold.remove(id, sha256);
      removed += 1;
    }
  }
  if (removed > 0) runtime.log(`removed ${removed} archives that no revision names`);
  return removed;
}
