import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import type { ArchiveReader, Edit, OpenArchive } from '../ports/archive-reader.ts';
import type { Archives } from './archives.ts';
import { sameContent } from './compare.ts';
import type { ServiceContext } from './context.ts';
import type { StepContext } from './operations/definition.ts';
import type { StartedOperation } from './operations/operations.ts';
import { requireResting, type Projects } from './projects.ts';
import { pruneRevisions, recordRevision, verifyStored } from './revisions.ts';

export type EditTools = { readonly context: ServiceContext; readonly projects: Projects; readonly archives: Archives; readonly reader: ArchiveReader };

/**
 * Makes the next revision of a project out of its head and some edits: composed, stored, read back, compared, recorded. Throws
 * SAVE_CONFLICT when the head moved meanwhile; the new revision is kept beside it then.
 */
export async function recordEdits({ context, archives, reader }: EditTools, head: Revision, edits: ReadonlyMap<string, Edit>, reason: 'restore' | 'offline-edit', { signal, progress }: Pick<StepContext<unknown>, 'signal' | 'progress'>): Promise<Revision> {
  const { store, cold, runtime } = context;
  const { projectId } = head;
  return archives.use(projectId, head.rev, signal, async (base) => {
    const onProgress = (bytes: number): void => progress(Math.min(0.9, bytes / Math.max(1, head.contentBytes)));
    const zip = reader.compose(base, edits, { ...store.settings.get().limits, signal, onProgress });
    const stored = await cold.put(projectId, zip.content, { signal });
    const count = await zip.count;
    await verifyStored(context, projectId, stored);
    if (stored.sha256 === head.sha256) return head;
    const now = runtime.now();
    const revision = await recordRevision(context, { projectId, sha256: stored.sha256, bytes: stored.bytes, files: count.files, contentBytes: count.contentBytes, reason, createdAt: now, verifiedAt: now, leftOut: head.leftOut }, head.rev);
    await pruneRevisions(context, projectId, store.settings.get().retention);
    return revision;
  });
}

/** A new revision in which some files and folders are as they were: what was not there then goes, what was comes back. Throws NOT_FOUND. */
export function restoreFiles(tools: EditTools, projectId: string, rev: number, paths: readonly string[]): StartedOperation {
  const { context, projects, archives } = tools;
  const project = projects.record(projectId);
  const { head } = project;
  if (head === null) throw new VesselError('NOT_FOUND', 'This project has no revision yet');
  requireResting(context, projectId, project.environment?.state ?? null);
  const state: { revision: Revision | null } = { revision: null };
  return context.operations.start({
    kind: 'restore', title: `Restore ${paths.length === 1 ? paths[0] ?? '' : `${paths.length} paths`} of ${project.name} from revision ${rev}`, projectId, hostId: project.hostId, cancellable: true,
    request: { call: 'history.restoreFiles', input: { projectId, rev, paths } }, state, result: () => state.revision,
    steps: [{ id: 'compose', title: 'Create revision with restored files', weight: 1, run: (step) => archives.use(projectId, rev, step.signal, (old) => archives.use(projectId, head.rev, step.signal, async (present) => {
      const edits = restoring(old, present, paths);
      if (edits.size === 0) { state.revision = head; return 'Nothing differs'; }
      state.revision = await recordEdits(tools, head, edits, 'restore', step);
      return `Revision ${state.revision.rev}: ${edits.size} entries changed`;
    })) }],
  });
}

/** The edits that make everything at and below the paths as it is in `old`. */
function restoring(old: OpenArchive, present: OpenArchive, paths: readonly string[]): ReadonlyMap<string, Edit> {
  const edits = new Map<string, Edit>();
  for (const path of paths.map((given) => given.replace(/^\.?\/+|(?<!\/)\/+$/g, ''))) {
    const was = old.get(path) === null ? [] : old.below(path);
    const is = present.get(path) === null ? [] : present.below(path);
    if (was.length === 0 && is.length === 0) throw new VesselError('NOT_FOUND', `Neither revision has "${path}"`, { details: { path } });
    const wanted = new Map(was.map((entry) => [entry.path, entry]));
    for (const entry of is) if (!wanted.has(entry.path)) edits.set(entry.path, { kind: 'remove' });
    for (const entry of was) {
      const now = present.get(entry.path);
      if (now === null || !sameContent(now, entry) || now.mode !== entry.mode) edits.set(entry.path, { kind: 'take', from: old });
    }
  }
  return edits;
}
