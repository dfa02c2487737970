import { VesselError } from '#shared/errors.ts';
import type { StoreKind } from '#shared/cloud-contract.ts';
import type { RemoteBackend, RemoteKind } from '../../ports/remote-store.ts';
import { audit } from '../context.ts';
import type { StartedOperation } from '../operations/operations.ts';
import { requireResting } from '../projects.ts';
import type { Cloud } from './cloud.ts';

/** Moves where a project rests besides this computer. Nothing is removed anywhere before all of it lies verified here. Throws BUSY, CLOUD_NOT_CONFIGURED. */
export function moveProject(cloud: Cloud, projectId: string, to: StoreKind): StartedOperation {
  const { store, operations } = cloud.context;
  const project = store.projects.get(projectId);
  if (project === null) throw new VesselError('NOT_FOUND', `There is no project "${projectId}"`, { details: { projectId } });
  requireResting(cloud.context, projectId, project.environment?.state ?? null);
  if (to !== 'local') cloud.requireBackend(to);
  const from = store.sync.get(projectId)?.store ?? 'local';
  const state = { from, to };
  return operations.start({
    kind: 'move', title: `Move ${project.name} to ${NAMES[to]}`, projectId, hostId: project.hostId, cancellable: true, request: { call: 'projects.moveToStore', input: { projectId, store: to } },
    state, result: () => ({ store: to }),
    steps: [
      { id: 'fetch', title: 'Fetch what is only in the cloud', weight: 60, needed: () => from !== 'local' && from !== to, run: async ({ signal }) => `${await fetchAll(cloud, projectId, signal)} archives lie here, verified` },
      { id: 'leave', title: 'Remove it from where it was', weight: 10, needed: () => from !== 'local' && from !== to, run: async () => { if (from !== 'local') await cloud.sync.alone(() => leave(cloud, projectId, from)); } },
      { id: 'arrive', title: 'Queue the upload', weight: 5, needed: () => to !== 'local' && from !== to, run: async () => { if (to !== 'local') enter(cloud, projectId, to); } },
      { id: 'send', title: 'Send it', weight: 100, needed: () => to !== 'local' && from !== to, run: async () => {
        const { pending, error } = await cloud.sync.now();
        if (error !== null) return `It goes up later: ${error.message}`;
        return pending === 0 ? 'Everything is there' : `${pending} changes go up later`;
      } },
    ],
  });
}

const NAMES: Readonly<Record<StoreKind, string>> = { local: 'this computer', supabase: 'the cloud', s3: 'the S3 bucket' };

/** Reads every archive of a project back, which fetches those that are not here. Throws ARCHIVE_CORRUPT and leaves everything where it is. */
export async function fetchAll({ context }: Cloud, projectId: string, signal: AbortSignal): Promise<number> {
  const hashes = new Set(context.store.revisions.list(projectId).map(({ sha256 }) => sha256));
  for (const sha256 of hashes) {
    signal.throwIfAborted();
    const found = await context.cold.readBack(projectId, sha256);
    if (found.sha256 !== sha256) throw new VesselError('ARCHIVE_CORRUPT', undefined, { details: { projectId, expected: sha256, found: found.sha256 } });
  }
  return hashes.size;
}

async function leave(cloud: Cloud, projectId: string, from: RemoteKind): Promise<void> {
  const backend = cloud.requireBackend(from);
  try {
    await remove(backend, projectId);
  } catch (error) {
    // Some of it may be gone there: it is not in step any more.
    const record = cloud.context.store.sync.get(projectId);
    if (record !== null) cloud.context.store.sync.put({ ...record, error: VesselError.from(error).toShape() });
    cloud.context.feed.project(projectId);
    throw error;
  }
  cloud.context.store.sync.forget(projectId);
  cloud.limits.forget();
  audit(cloud.context, { kind: 'sync.left', projectId, text: `Rests on this computer only: removed from ${NAMES[from]}` });
}

/** The row goes last: as long as it is there, a repetition knows what is left to do. */
async function remove({ archives, index }: RemoteBackend, projectId: string): Promise<void> {
  await archives.removeProject(projectId);
  await index.removeProject(projectId);
}

function enter({ context: { store, feed } }: Cloud, projectId: string, to: RemoteKind): void {
  store.sync.put({ projectId, store: to, baseArchiveId: null, branch: null, stale: false, conflict: null, lease: null, error: null });
  store.sync.outbox.add(projectId, 'create');
  for (const { rev, parentRev } of [...store.revisions.list(projectId)].reverse()) store.sync.outbox.add(projectId, 'save', { rev, parent: parentRev });
  feed.project(projectId);
}

/** Removes everything of the signed-in account from the cloud, after all of it lies here. Projects stay on this computer. */
export async function deleteAccountData(cloud: Cloud, confirm: string, signal: AbortSignal): Promise<{ readonly projects: number; readonly objects: number }> {
  const backend = cloud.requireBackend('supabase');
  const { user } = cloud;
  if (user === null || confirm.trim().toLowerCase() !== user.email.toLowerCase()) throw new VesselError('BAD_REQUEST', 'Repeat the e-mail address of the account to confirm');
  const { store } = cloud.context;
  const report = await cloud.sync.now();
  if (report.error !== null) throw VesselError.fromShape(report.error);
  for (const { projectId, store: kind } of store.sync.list()) if (kind === 'supabase' && store.projects.get(projectId) !== null) await fetchAll(cloud, projectId, signal);
  return cloud.sync.alone(() => removeAll(cloud, backend, signal));
}

async function removeAll(cloud: Cloud, backend: RemoteBackend, signal: AbortSignal): Promise<{ readonly projects: number; readonly objects: number }> {
  const { store } = cloud.context;
  let projects = 0;
  let objects = 0;
  for (let cursor: string | null = null, more = true; more;) {
    const page = await backend.index.changed(cursor, signal);
    for (const { id } of page.projects) {
      objects += (await backend.archives.list(id)).length;
      await remove(backend, id);
      projects += 1;
    }
    ({ cursor, more } = page);
  }
  await backend.index.removeEncryption();
  cloud.encryption.end('supabase');
  for (const { projectId, store: kind } of store.sync.list()) if (kind === 'supabase') { store.sync.forget(projectId); cloud.context.feed.project(projectId); }
  store.sync.facts.put('cursor:supabase', null);
  cloud.setDefaultStore('local');
  cloud.limits.forget();
  audit(cloud.context, { kind: 'account.data-deleted', text: `Removed ${projects} projects and ${objects} archives from the cloud` });
  return { projects, objects };
}
