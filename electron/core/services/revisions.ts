import { hostname } from 'node:os';
import { VesselError } from '#shared/errors.ts';
import type { Origin, Revision } from '#shared/project.ts';
import { revisionsToPrune, type RetentionPolicy } from '../domain/retention.ts';
import type { NewRevision, ProjectRecord } from '../ports/store.ts';
import { audit, type ServiceContext } from './context.ts';

const FROM_ENVIRONMENT: ReadonlySet<Revision['reason']> = new Set(['save', 'autosave', 'exit', 'idle', 'rescue']);
type Needs = Pick<ServiceContext, 'store' | 'cold' | 'runtime' | 'feed'>;

/**
 * Makes an archive that lies verified in the cold store a revision: one transaction adds it and moves the head by
 * compare-and-swap, then its manifest is written. Throws SAVE_CONFLICT when the head had moved; the revision is kept then.
 */
export async function recordRevision(needs: Needs, draft: NewRevision, expectedHead: number | null): Promise<Revision> {
  const { revision, flipped } = needs.store.revisions.append({ ...draft, origin: draft.origin ?? originOf(needs, draft) }, expectedHead);
  needs.runtime.fault('revision.flipped');
  await writeManifest(needs, revision);
  audit(needs, { kind: 'revision.saved', projectId: revision.projectId, text: `Revision ${revision.rev} verified (${revision.reason})`, data: { rev: revision.rev, sha256: revision.sha256, bytes: revision.bytes, files: revision.files } });
  needs.feed.project(revision.projectId);
  if (!flipped) {
    throw new VesselError('SAVE_CONFLICT', undefined, { details: { kept: revision.rev, expectedHead, head: needs.store.projects.get(revision.projectId)?.head?.rev ?? null } });
  }
  return revision;
}

/** The project's host and this computer. */
function originOf({ store }: Pick<Needs, 'store'>, { projectId, reason }: NewRevision): Origin {
  const hostId = FROM_ENVIRONMENT.has(reason) ? store.projects.get(projectId)?.hostId ?? null : null;
  return { hostId, hostName: hostId === null ? null : store.hosts.get(hostId)?.name ?? null, device: hostname() };
}

/** Reads an archive back from the store and compares. Throws SAVE_NOT_VERIFIED. */
export async function verifyStored(needs: Pick<Needs, 'cold'>, projectId: string, stored: { readonly sha256: string; readonly bytes: number }): Promise<void> {
  let found: { readonly sha256: string; readonly bytes: number };
  try {
    found = await needs.cold.readBack(projectId, stored.sha256);
  } catch (error) {
    throw new VesselError('SAVE_NOT_VERIFIED', undefined, { cause: error, details: { wrote: stored.sha256 } });
  }
  if (found.sha256 !== stored.sha256 || found.bytes !== stored.bytes) {
    throw new VesselError('SAVE_NOT_VERIFIED', undefined, { details: { wrote: stored.sha256, readBack: found.sha256, bytes: stored.bytes, bytesReadBack: found.bytes } });
  }
}

/** Writes the manifest beside the archive and notes that it is there. */
export async function writeManifest({ store, cold }: Needs, revision: Revision): Promise<void> {
  const project = store.projects.get(revision.projectId);
  if (project === null) return;
  await cold.putManifest({ v: 1, project: manifestProject(project), revision });
  store.revisions.markManifest(revision.projectId, revision.rev);
}

function manifestProject({ id, name, template, createdAt, settings }: ProjectRecord): Pick<ProjectRecord, 'id' | 'name' | 'template' | 'createdAt' | 'settings'> {
  return { id, name, template, createdAt, settings };
}

/** Removes what retention no longer keeps. The rows go first: a crash then leaves an unused archive, never a row without one. */
export async function pruneRevisions(needs: Needs, projectId: string, policy: RetentionPolicy): Promise<{ readonly removed: readonly number[]; readonly freedBytes: number }> {
  const { store, cold, runtime } = needs;
  const revisions = store.revisions.list(projectId);
  const head = store.projects.get(projectId)?.head?.rev ?? null;
  const base = store.environments.get(projectId)?.baseRev ?? null;
  // A draft needs its base for as long as it may have to be compared with what became of the project.
  const edited = store.drafts.list(projectId)[0]?.baseRev ?? null;
  const removed = revisionsToPrune(revisions, head, policy, runtime.now()).filter((rev) => rev !== base && rev !== edited);
  if (removed.length === 0) return { removed: [], freedBytes: 0 };
  store.revisions.remove(projectId, removed);
  let freedBytes = 0;
  const shas = new Map<string, number>();
  for (const revision of revisions) if (removed.includes(revision.rev)) shas.set(revision.sha256, revision.bytes);
  for (const rev of removed) await cold.removeManifest(projectId, rev);
  for (const [sha256, bytes] of shas) {
    if (store.revisions.isUsed(projectId, sha256)) continue;
    await cold.remove(projectId, sha256);
    freedBytes += bytes;
  }
  audit(needs, { kind: 'revision.pruned', projectId, text: `Pruned ${removed.length} ${removed.length === 1 ? 'revision' : 'revisions'}`, data: { removed, freedBytes } });
  return { removed, freedBytes };
}
