import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { RemoteArchive, RemoteProject } from '../../ports/remote-store.ts';
import { keyIdOfText, type ArchiveKey } from './archive-key.ts';

const ProjectFactsSchema = z.object({ name: z.string(), template: z.string().nullable(), settings: z.record(z.string(), z.unknown()), archiveId: z.string().nullable() });
const ArchiveFactsSchema = z.object({
  id: z.string(), parentId: z.string().nullable(), sha256: z.string(), bytes: z.number(), files: z.number(), contentBytes: z.number(),
  leftOut: z.array(z.object({ path: z.string(), reason: z.string() })), reason: z.string(),
});
/** What stands in a row's place for a name, where one must stand. */
export const SEALED_NAME = 'encrypted';

const tampered = (what: string): VesselError => new VesselError('CLOUD_FAILED', `${what} was changed in the cloud by somebody who does not have the key`, { retryable: false, hint: 'Work on: everything is kept here. Ask whoever runs the cloud project what happened to it.' });
const placeOfProject = (projectId: string): string => `project\n${projectId}`;
const placeOfArchive = (projectId: string, remoteId: string): string => `archive\n${projectId}\n${remoteId}`;

/** The sealed part of a project's row; it lies in the settings. Null for a plain row. */
export function sealedPart({ settings }: Pick<RemoteProject, 'settings'>): string | null {
  const { sealed } = settings as { readonly sealed?: unknown };
  return typeof sealed === 'string' && keyIdOfText(sealed) !== null ? sealed : null;
}
export const keyIdOfProject = (row: RemoteProject): string | null => { const sealed = sealedPart(row); return sealed === null ? null : keyIdOfText(sealed); };
export const keyIdOfArchive = ({ sealed }: RemoteArchive): string | null => (sealed === undefined ? null : keyIdOfText(sealed) ?? 'unknown');

type Facts = Pick<RemoteProject, 'id' | 'name' | 'template' | 'settings' | 'archiveId'>;

/** What a row says instead of a project's name, template and settings. */
export function sealProject(key: ArchiveKey, { id, name, template, settings, archiveId }: Facts): Pick<RemoteProject, 'name' | 'template' | 'settings'> {
  const sealed = key.sealText(JSON.stringify({ name, template, settings, archiveId }), placeOfProject(id));
  return { name: SEALED_NAME, template: null, settings: { sealed } as RemoteProject['settings'] };
}

/** The project of a sealed row. Its pointer must be the one that was sealed with it: nobody without the key can move it to another revision. */
export function openProject(key: ArchiveKey, row: RemoteProject): RemoteProject {
  const text = key.openText(sealedPart(row) ?? '', placeOfProject(row.id));
  const facts = ProjectFactsSchema.safeParse(text === null ? null : JSON.parse(text));
  if (!facts.success) throw tampered(`The row of ${row.id}`);
  const { archiveId } = facts.data;
  if (row.archiveId !== archiveId && (archiveId === null || row.archiveId !== key.remoteId(row.id, archiveId))) throw tampered(`The current revision of ${row.id}`);
  return { ...row, ...facts.data };
}

/** The row of a revision whose content lies sealed under another hash. */
export function sealArchive(key: ArchiveKey, archive: RemoteArchive, object: { readonly sha256: string; readonly bytes: number }): RemoteArchive {
  const { projectId, parentId, branch, device, savedAt } = archive;
  const id = key.remoteId(projectId, archive.id);
  const { sha256, bytes, files, contentBytes, leftOut, reason } = archive;
  const sealed = key.sealText(JSON.stringify({ id: archive.id, parentId, sha256, bytes, files, contentBytes, leftOut, reason }), placeOfArchive(projectId, id));
  return { id, projectId, parentId: parentId === null ? null : key.remoteId(projectId, parentId), branch, device, savedAt, ...object, files: 0, contentBytes: 0, leftOut: [], reason: SEALED_NAME, sealed };
}

export function openArchive(key: ArchiveKey, row: RemoteArchive): RemoteArchive {
  const text = key.openText(row.sealed ?? '', placeOfArchive(row.projectId, row.id));
  const facts = ArchiveFactsSchema.safeParse(text === null ? null : JSON.parse(text));
  if (!facts.success || key.remoteId(row.projectId, facts.data.id) !== row.id) throw tampered(`A revision of ${row.projectId}`);
  const { projectId, branch, device, savedAt } = row;
  return { projectId, branch, device, savedAt, ...facts.data };
}

/**
 * Revisions once each, and each after its parent. While archives change their form both rows of one may stand there, and the new rows
 * come after what others saved meanwhile; the line is the parents' all the same.
 */
export function inOrder(archives: readonly RemoteArchive[]): readonly RemoteArchive[] {
  const byId = new Map<string, RemoteArchive>();
  for (const archive of archives) if (!byId.has(archive.id)) byId.set(archive.id, archive);
  const placed = new Set<string>();
  const ordered: RemoteArchive[] = [];
  for (const archive of byId.values()) {
    const line: RemoteArchive[] = [];
    for (let at: RemoteArchive | undefined = archive; at !== undefined && !placed.has(at.id); at = at.parentId === null ? undefined : byId.get(at.parentId)) { placed.add(at.id); line.push(at); }
    ordered.push(...line.reverse());
  }
  return ordered;
}
