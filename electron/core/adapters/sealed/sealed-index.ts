import { VesselError } from '#shared/errors.ts';
import type { RemoteIndex, RemoteProject } from '../../ports/remote-store.ts';
import { sealedBytes } from './age-file.ts';
import { inOrder, keyIdOfArchive, keyIdOfProject, sealArchive, sealProject } from './sealed-rows.ts';
import { isSealed, locked, type SealedView } from './sealed-view.ts';

/**
 * The rows of an account as they are meant, whatever stands there: names, settings and all that tells of contents are sealed on their
 * way out and opened on their way in. Ids of revisions are translated, because the plain ones are made from the content's hash.
 */
export function makeSealedIndex(view: SealedView): RemoteIndex {
  const { index } = view.inner;
  const project = async (projectId: string): Promise<RemoteProject | null> => {
    const row = await index.project(projectId);
    return row === null ? null : view.open(row);
  };
  /** The ids under which a revision may stand. Throws ENCRYPTION_LOCKED. */
  const idsOf = async (projectId: string, id: string): Promise<readonly string[]> => {
    const policy = await view.policy();
    const rows = await index.archives(projectId);
    if (policy === null && !rows.some(isSealed)) return [id];
    const ids = (await view.openAll(rows)).filter(({ archive }) => archive.id === id).map(({ row }) => row.id);
    if (ids.length === 0 && policy !== null && policy.key === null) throw locked();
    return ids;
  };

  return {
    ...index,
    async changed(cursor, signal) {
      const page = await index.changed(cursor, signal);
      const projects = [];
      for (const row of page.projects) projects.push(await view.open(row));
      if (page.projects.some((row) => keyIdOfProject(row) === null) && (await view.policy())?.enabled === true) view.mixed = true;
      return { ...page, projects };
    },
    project,
    async insertProject(given) {
      const key = await view.sealingKey(true);
      await index.insertProject(key === null ? given : { ...given, ...sealProject(key, { ...given, archiveId: null }) });
    },
    async swapProject(projectId, rev, change) {
      const row = await index.project(projectId);
      if (row === null || row.rev !== rev) return null;
      const now = await view.open(row);
      if (now.locked === true) throw locked();
      const sealing = await view.sealingKey(false);
      const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as typeof change;
      const next = { ...now, ...given };
      const pointer = given.archiveId === undefined ? row.archiveId : given.archiveId === null ? null : sealing?.remoteId(projectId, given.archiveId) ?? given.archiveId;
      const keyId = keyIdOfProject(row);
      // A row that points at a sealed archive must say which one it is, sealed with the same key.
      const key = keyId !== null && given.archiveId === undefined && pointer !== next.archiveId ? await view.key(keyId) : sealing;
      if (key === null && keyId === null) {
        const swapped = await index.swapProject(projectId, rev, change);
        return swapped === null ? null : view.open(swapped);
      }
      const { name, template, settings, deletedAt } = next;
      const swapped = await index.swapProject(projectId, rev, { ...(key === null ? { name, template, settings } : sealProject(key, next)), deletedAt, archiveId: pointer });
      return swapped === null ? null : view.open(swapped);
    },
    archives: async (projectId) => inOrder((await view.rowsOf(projectId)).map(({ archive }) => archive)),
    async archivesOf(projectIds) {
      const found = new Map<string, readonly Awaited<ReturnType<RemoteIndex['archives']>>[number][]>();
      for (const [projectId, rows] of await index.archivesOf(projectIds)) found.set(projectId, inOrder((await view.openAll(rows)).map(({ archive }) => archive)));
      return found;
    },
    /** In the form that an upload has now: another one would be no reason not to send it. */
    async hasContent(projectId, sha256) {
      const key = await view.sealingKey(false);
      if (key === null) return (await view.policy()) === null ? index.hasContent(projectId, sha256) : (await view.rowsOf(projectId)).some(({ row }) => !isSealed(row) && row.sha256 === sha256);
      const name = view.nameOf(projectId, sha256, key.id);
      if (name !== null && await index.hasContent(projectId, name)) return true;
      return (await view.rowsOf(projectId)).some(({ row, archive }) => keyIdOfArchive(row) === key.id && archive.sha256 === sha256);
    },
    async insertArchive(archive) {
      const key = await view.sealingKey(true);
      if (key === null) { await index.insertArchive(archive); return; }
      const find = (): string | null => view.nameOf(archive.projectId, archive.sha256, key.id);
      if (find() === null) await view.rowsOf(archive.projectId);
      const sha256 = find();
      // Encryption was turned on between sending the archive and recording it: it must be sent again.
      if (sha256 === null) throw new VesselError('CLOUD_FAILED', 'Encryption was turned on while this was sent; it is sent again');
      await index.insertArchive(sealArchive(key, archive, { sha256, bytes: sealedBytes(archive.bytes) }));
    },
    async branchArchive(projectId, id, branch) { for (const one of await idsOf(projectId, id)) await index.branchArchive(projectId, one, branch); },
    async removeArchive(projectId, id) {
      let removed = true;
      // Its name must be known after its row is gone.
      await view.rowsOf(projectId);
      for (const one of await idsOf(projectId, id)) removed = await index.removeArchive(projectId, one) && removed;
      return removed;
    },
  };
}
