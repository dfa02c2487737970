import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import type { Device } from '../../ports/cloud.ts';
import type { RemoteBackend, RemoteProject } from '../../ports/remote-store.ts';
import type { ProjectRecord } from '../../ports/store.ts';
import type { OutboxEntry, SyncRecord } from '../../ports/sync-store.ts';
import { audit, type ServiceContext } from '../context.ts';
import { archiveId } from './archive-id.ts';
import type { BeforeUpload } from './secret-warner.ts';
import type { CloudLimits } from './limits.ts';
import { sameSettings } from './pull.ts';

export type PushNeeds = { readonly context: ServiceContext; readonly device: Device; readonly limits: CloudLimits; readonly beforeUpload?: BeforeUpload | undefined };

/** Attempts at one row while other devices write to it too; each means that somebody else was faster. */
const MAX_SWAPS = 50;

/** Tells the cloud one change. Every step may be repeated: a crash or a lost answer in between only means doing it again. */
export async function push(needs: PushNeeds, backend: RemoteBackend, record: SyncRecord, entry: OutboxEntry, signal: AbortSignal): Promise<void> {
  switch (entry.kind) {
    case 'create':
    case 'rename':
    case 'delete':
      await pushFacts(needs, backend, entry.projectId);
      return;
    case 'save':
      await pushSave(needs, backend, record, entry, signal);
      return;
    case 'prune':
      await pushPrune(needs, backend, entry);
      return;
    case 'purge':
      // The row goes last: as long as it is there, something tells that the project is not gone yet.
      await backend.archives.removeProject(entry.projectId);
      await backend.index.removeProject(entry.projectId);
      needs.context.store.sync.forget(entry.projectId);
  }
}

/** The row as it should be now; what happened in between is of no interest. */
async function pushFacts({ context }: PushNeeds, backend: RemoteBackend, projectId: string): Promise<void> {
  const project = context.store.projects.get(projectId);
  if (project === null) return;
  for (let swaps = 0; swaps < MAX_SWAPS; swaps += 1) {
    const row = await ensureRow(backend, project);
    const { name, template, settings, deletedAt } = project;
    if (row.name === name && row.deletedAt === deletedAt && sameSettings(row.settings, settings)) return;
    if (await backend.index.swapProject(projectId, row.rev, { name, template, settings, deletedAt }) !== null) return;
  }
  throw tooManyWriters();
}

async function ensureRow({ index }: RemoteBackend, { id, name, template, settings, createdAt }: ProjectRecord): Promise<RemoteProject> {
  const row = await index.project(id);
  if (row !== null) return row;
  await index.insertProject({ id, name, template, settings, createdAt });
  const made = await index.project(id);
  if (made === null) throw new VesselError('CLOUD_FAILED', 'The project was written to the cloud and is not there');
  return made;
}

/**
 * Upload, verify, record, and move the pointer by compare-and-swap. When the cloud's pointer is not at what this save was based
 * on, somebody else was first: the save is kept as a branch, and the project is marked to take over the other one.
 */
async function pushSave(needs: PushNeeds, backend: RemoteBackend, record: SyncRecord, entry: OutboxEntry, signal: AbortSignal): Promise<void> {
  const { store } = needs.context;
  const { projectId } = entry;
  const project = store.projects.get(projectId);
  const revision = entry.data.rev === undefined ? null : store.revisions.get(projectId, entry.data.rev);
  if (project === null || revision === null) return; // pruned before it was sent
  const id = await archiveId(revision);
  await ensureRow(backend, project);
  const sent = await sendContent(needs, backend, revision, signal);

  const { parentId, onMainLine } = await placeOf(needs, record, revision);
  const row = { id, projectId, parentId, device: needs.device.name, sha256: revision.sha256, bytes: revision.bytes, files: revision.files, contentBytes: revision.contentBytes, leftOut: revision.leftOut, reason: revision.reason, savedAt: revision.createdAt };
  let recorded = false;
  for (let swaps = 0; swaps < MAX_SWAPS; swaps += 1) {
    const remote = await ensureRow(backend, project);
    if (remote.archiveId === id) { store.sync.put({ ...now(needs, projectId, record), baseArchiveId: id }); return; }
    // Where there is no current archive at all (the row was removed elsewhere) there is nobody to be in the way of.
    const elsewhere = remote.archiveId !== null && remote.archiveId !== record.baseArchiveId;
    if (record.branch !== null || !onMainLine || elsewhere) {
      await keepAsBranch(needs, record, revision, async (branch) => {
        if (!recorded) {
          await backend.index.insertArchive({ ...row, branch });
          if (sent) await ensureContent(needs, backend, revision, signal);
        }
        // An earlier attempt may have recorded it for the main line.
        await backend.index.branchArchive(projectId, id, branch);
      });
      return;
    }
    if (!recorded) {
      await backend.index.insertArchive({ ...row, branch: null });
      if (sent) await ensureContent(needs, backend, revision, signal);
    }
    recorded = true;
    needs.context.runtime.fault('sync.recorded');
    if (await backend.index.swapProject(projectId, remote.rev, { archiveId: id }) !== null) {
      store.sync.put({ ...now(needs, projectId, record), baseArchiveId: id });
      return;
    }
  }
  throw tooManyWriters();
}

/** An object that had lain there unnamed for long may have been swept away just before its row was written; once it is named it stays. */
async function ensureContent(needs: PushNeeds, { archives }: RemoteBackend, { projectId, sha256, bytes }: Revision, signal: AbortSignal): Promise<void> {
  if ((await archives.list(projectId)).some((stored) => stored.sha256 === sha256)) return;
  const path = needs.context.cold.localPath(projectId, sha256);
  if (path === null) throw new VesselError('INTERNAL', 'An archive that is to be sent is not a file here');
  await archives.upload(projectId, { path, sha256, bytes }, { signal });
}

/** Uploads unless an equal archive lies there verified, then reads it back. False when nothing had to be sent. */
async function sendContent({ context, limits, beforeUpload }: PushNeeds, { archives, index, kind }: RemoteBackend, revision: Revision, signal: AbortSignal): Promise<boolean> {
  const { projectId, sha256, bytes } = revision;
  if (await index.hasContent(projectId, sha256)) return false;
  const path = context.cold.localPath(projectId, sha256);
  if (path === null) throw new VesselError('INTERNAL', 'An archive that is to be sent is not a file here');
  await limits.check(kind, index, bytes);
  await beforeUpload?.(revision, signal);
  // A damaged archive must not go up under a name that promises something else.
  const here = await context.cold.readBack(projectId, sha256);
  if (here.sha256 !== sha256) throw new VesselError('ARCHIVE_CORRUPT', `The archive of revision ${revision.rev} is damaged on this computer`, { details: { rev: revision.rev, expected: sha256, found: here.sha256 } });
  await archives.upload(projectId, { path, sha256, bytes }, { signal });
  const there = await archives.readBack(projectId, sha256, { signal });
  // The row that is written next says both; nothing else counts as sent, whatever other uploads of this name went on.
  if (there.sha256 !== sha256 || there.bytes !== here.bytes) {
    await archives.remove(projectId, sha256);
    throw new VesselError('CLOUD_FAILED', 'The archive did not read back the same from the cloud', { details: { expected: sha256, found: there.sha256, bytes: there.bytes } });
  }
  limits.added(kind, bytes);
  return true;
}

/** Where a revision hangs: below its local parent, and on the main line if the present head descends from it. */
async function placeOf({ context: { store } }: PushNeeds, record: SyncRecord, revision: Revision): Promise<{ readonly parentId: string | null; readonly onMainLine: boolean }> {
  const { projectId } = revision;
  const parent = revision.parentRev === null ? null : store.revisions.get(projectId, revision.parentRev);
  // Where retention took a parent away, the line goes on with the next older revision.
  const below = (rev: number): Revision | null => store.revisions.list(projectId).find((one) => one.rev < rev && one.branch === undefined) ?? null;
  let onMainLine = false;
  for (let at = store.projects.get(projectId)?.head ?? null; at !== null && !onMainLine;) {
    onMainLine = at.rev === revision.rev;
    at = at.parentRev === null ? null : store.revisions.get(projectId, at.parentRev) ?? below(at.parentRev);
  }
  return { parentId: parent === null ? record.baseArchiveId : await archiveId(parent), onMainLine };
}

async function keepAsBranch(needs: PushNeeds, record: SyncRecord, revision: Revision, write: (branch: string) => Promise<void>): Promise<void> {
  const { context: { store, feed }, device } = needs;
  // An old branch that moves to another cloud is no new conflict.
  if (revision.branch !== undefined && record.branch === null) { await write(revision.branch); return; }
  const branch = record.branch ?? `${device.name}, ${minute(revision.createdAt)}`;
  await write(branch);
  store.sync.setBranch(revision.projectId, revision.rev, branch);
  const fresh = now(needs, revision.projectId, record);
  store.sync.put({ ...fresh, branch, stale: true, conflict: { ours: revision.rev, theirs: fresh.conflict?.theirs ?? null, branch, at: needs.context.runtime.now() } });
  if (record.branch === null) audit(needs.context, { kind: 'sync.conflict', projectId: revision.projectId, text: `Saved elsewhere too: revision ${revision.rev} is kept as "${branch}"`, data: { rev: revision.rev, branch } });
  feed.project(revision.projectId);
}

async function pushPrune({ context: { store } }: PushNeeds, { index, archives }: RemoteBackend, { projectId, data }: OutboxEntry): Promise<void> {
  const { sha256, createdAt } = data;
  if (sha256 === undefined || createdAt === undefined) return;
  // The current one cannot be removed, whatever this computer thinks of it.
  if (!await index.removeArchive(projectId, await archiveId({ projectId, sha256, createdAt }))) return;
  if (!store.revisions.isUsed(projectId, sha256) && !await index.hasContent(projectId, sha256)) await archives.remove(projectId, sha256);
}

/** The record as it is at this moment; the network took its time since it was read. */
const now = ({ context }: PushNeeds, projectId: string, fallback: SyncRecord): SyncRecord => context.store.sync.get(projectId) ?? fallback;
const minute = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ');
const tooManyWriters = (): VesselError => new VesselError('CLOUD_FAILED', 'Other devices keep writing to this project');
