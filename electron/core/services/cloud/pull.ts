import { VesselError } from '#shared/errors.ts';
import { ProjectSettingsSchema, RevisionSchema, TemplateIdSchema, type Revision } from '#shared/project.ts';
import type { RemoteArchive, RemoteBackend, RemoteProject } from '../../ports/remote-store.ts';
import type { AdoptedRevision, SyncRecord } from '../../ports/sync-store.ts';
import { isPurgeable } from '../../domain/retention.ts';
import { audit, type ServiceContext } from '../context.ts';
import { archiveId } from './archive-id.ts';

/** States of an environment in which the project's line must not move under it. */
const LIVE = ['requested', 'starting', 'running', 'stopping', 'destroying', 'hibernated'];

/** True while somebody works in the project or something works on it: then nothing is taken over. */
export function isBusy({ store, operations }: ServiceContext, projectId: string): boolean {
  const state = store.environments.get(projectId)?.state;
  return (state !== undefined && LIVE.includes(state)) || operations.active(projectId, null) !== null;
}

/** Brings this computer to what the cloud says of one project. What this computer still owes wins over what it is told. `known`: its revisions there, if they were asked for after the row. */
export async function applyRemote(context: ServiceContext, backend: RemoteBackend, remote: RemoteProject, known: readonly RemoteArchive[] | null): Promise<void> {
  const { store, runtime } = context;
  const local = store.projects.get(remote.id);
  if (local === null && (isPurgeable(remote.deletedAt, runtime.now()) || remote.archiveId === null)) return;
  const kept = store.sync.get(remote.id);
  // It was removed for good here and the cloud is about to hear of it.
  if (local === null && kept !== null && store.sync.outbox.has(remote.id, ['purge'])) return;
  if (local !== null && kept !== null && kept.store !== backend.kind) return;

  // Nothing of it can be read here: it stays as this computer knows it until somebody unlocks it.
  if (remote.locked === true) {
    if (kept !== null && kept.error?.code !== 'ENCRYPTION_LOCKED') { store.sync.put({ ...kept, error: new VesselError('ENCRYPTION_LOCKED').toShape() }); context.feed.project(remote.id); }
    return;
  }

  const record = kept ?? await attach(context, backend, remote);
  const archivesThere = async (): Promise<readonly RemoteArchive[]> => known ?? backend.index.archives(remote.id);
  const pendingFacts = store.sync.outbox.has(remote.id, ['create', 'rename', 'delete']);
  const moved = remote.archiveId !== record.baseArchiveId;
  const mayMove = moved && !isBusy(context, remote.id) && !store.sync.outbox.has(remote.id, ['save']);
  const factsDiffer = local === null || (!pendingFacts && (local.name !== remote.name || local.deletedAt !== remote.deletedAt || !sameSettings(local.settings, remote.settings)));
  if (moved && !mayMove) { store.sync.put({ ...record, stale: true }); if (!factsDiffer) return; }
  if (!factsDiffer && !mayMove) {
    if (record.stale && !moved) store.sync.put({ ...record, stale: false });
    await takeBranches(context, record, archivesThere);
    return;
  }

  const archives = mayMove ? await archivesThere() : [];
  const { ids, fresh } = await compare(context, remote.id, archives, remote.archiveId);
  const template = TemplateIdSchema.safeParse(remote.template);
  const facts = pendingFacts && local !== null ? local : { name: remote.name, deletedAt: remote.deletedAt, template: template.success ? template.data : null, settings: ProjectSettingsSchema.parse(remote.settings) };
  const revOf = (id: string | null): number | null => (id === null ? null : ids.get(id) ?? null);
  const branches = new Map(archives.map(({ id, branch }) => [id, branch]));
  // Read and written without a pause in between: nothing can be owed or begun meanwhile.
  if (mayMove && (isBusy(context, remote.id) || store.sync.outbox.has(remote.id, ['save']))) { store.sync.put({ ...record, stale: true }); return; }
  let headRev: number | null = null;
  const added = store.sync.adopt({
    record: mayMove ? { ...record, baseArchiveId: remote.archiveId, stale: false, branch: null } : record,
    project: { id: remote.id, createdAt: remote.createdAt, hostId: local?.hostId ?? 'local', name: facts.name, deletedAt: facts.deletedAt, template: facts.template, settings: facts.settings },
    revisions: fresh, revOf, now: runtime.now(),
    headRev: (list) => (headRev = mayMove ? list.find((one) => one.archiveId === remote.archiveId)?.rev ?? revOf(remote.archiveId) : null),
  });
  for (const [id, rev] of ids) if (branches.has(id)) store.sync.setBranch(remote.id, rev, branches.get(id) ?? null);
  if (mayMove && record.conflict !== null && headRev !== null) store.sync.put({ ...record, baseArchiveId: remote.archiveId, stale: false, branch: null, conflict: { ...record.conflict, theirs: headRev } });
  if (local === null) audit(context, { kind: 'sync.arrived', projectId: remote.id, text: `"${remote.name}" came from the cloud` });
  else if (added.length > 0) audit(context, { kind: 'sync.pulled', projectId: remote.id, text: `${added.length} revisions from other devices` });
  context.feed.project(remote.id);
}

/** A database keeps the fields of an object in an order of its own, and another Vessel may know fewer of them. */
export const sameSettings = (one: unknown, other: unknown): boolean => JSON.stringify(ProjectSettingsSchema.parse(one)) === JSON.stringify(ProjectSettingsSchema.parse(other));

/** Branches of other devices arrive without the pointer moving. */
async function takeBranches(context: ServiceContext, record: SyncRecord, archivesThere: () => Promise<readonly RemoteArchive[]>): Promise<void> {
  const { store } = context;
  const local = store.projects.get(record.projectId);
  if (local === null || isBusy(context, record.projectId) || store.sync.outbox.has(record.projectId, ['save'])) return;
  const archives = await archivesThere();
  const { ids, fresh } = await compare(context, record.projectId, archives.filter(({ branch }) => branch !== null), null);
  for (const { id, branch } of archives) { const rev = ids.get(id); if (rev !== undefined) store.sync.setBranch(record.projectId, rev, branch); }
  if (fresh.length === 0 || isBusy(context, record.projectId)) return;
  store.sync.adopt({ record, project: local, revisions: fresh, revOf: (id) => (id === null ? null : ids.get(id) ?? null), headRev: () => null, now: context.runtime.now() });
  context.feed.project(record.projectId);
}

/** Ids of the local revisions, and those of the cloud that are not here: up to the current one, because what comes after it is still in flight. */
async function compare({ store }: ServiceContext, projectId: string, archives: readonly RemoteArchive[], headId: string | null): Promise<{ readonly ids: ReadonlyMap<string, number>; readonly fresh: readonly AdoptedRevision[] }> {
  const ids = new Map<string, number>();
  for (const revision of store.revisions.list(projectId)) ids.set(await archiveId(revision), revision.rev);
  const end = archives.findIndex(({ id }) => id === headId);
  const fresh = archives.filter(({ id, branch }, index) => !ids.has(id) && (branch !== null || (end >= 0 && index <= end))).map((archive): AdoptedRevision => {
    const reason = RevisionSchema.shape.reason.safeParse(archive.reason);
    return {
      archiveId: archive.id, parentId: archive.parentId, projectId, sha256: archive.sha256, bytes: archive.bytes, files: archive.files, contentBytes: archive.contentBytes,
      reason: reason.success ? reason.data : 'save', createdAt: archive.savedAt, verifiedAt: archive.savedAt, leftOut: [...archive.leftOut], ...(archive.branch === null ? {} : { branch: archive.branch }),
    };
  });
  return { ids, fresh };
}

/**
 * A project that is here and in the cloud without this computer knowing that they are one: its database was lost, or the same
 * account signs in again. What the cloud lacks is owed to it, on top of the newest revision that both have.
 */
async function attach({ store }: ServiceContext, backend: RemoteBackend, remote: RemoteProject): Promise<SyncRecord> {
  const record: SyncRecord = { projectId: remote.id, store: backend.kind, baseArchiveId: null, branch: null, stale: false, conflict: null, lease: null, error: null };
  if (store.projects.get(remote.id) === null) return record;
  const there = await backend.index.archives(remote.id);
  const known = new Set(there.map(({ id }) => id));
  const own: { readonly revision: Revision; readonly id: string }[] = [];
  for (const revision of [...store.revisions.list(remote.id)].reverse()) own.push({ revision, id: await archiveId(revision) });
  const here = new Set(own.map(({ id }) => id));
  const attached = { ...record, baseArchiveId: there.filter(({ id, branch }) => branch === null && here.has(id)).at(-1)?.id ?? null };
  store.sync.put(attached);
  for (const { revision, id } of own) if (!known.has(id)) store.sync.outbox.add(remote.id, 'save', { rev: revision.rev, parent: revision.parentRev });
  return attached;
}
