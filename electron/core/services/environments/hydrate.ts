import type { Readable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import type { StepContext } from '../operations/definition.ts';
import type { EnvironmentContext } from './environment-context.ts';

export type HydrateState = {
  readonly projectId: string;
  /** What reading the head's archive back gave; begun while the VM starts, so that it costs no time. Null without a head. */
  checked: Promise<{ readonly sha256: string }> | null;
};

/** Begins to check the head's archive against its hash. */
export function checkHead(context: EnvironmentContext, state: HydrateState): void {
  const { head } = context.records.project(state.projectId);
  if (head === null || context.cold.localPath(state.projectId, head.sha256) === null) return;
  state.checked = context.cold.readBack(state.projectId, head.sha256);
  // Awaited by `hydrate`; a start that fails first must not leave an unhandled rejection.
  state.checked.catch(() => undefined);
}

/** Fills the workspace from the head revision, and remembers the guest's change counter as the base. Throws ARCHIVE_CORRUPT. */
export async function hydrate(context: EnvironmentContext, { state, signal, progress }: StepContext<HydrateState>): Promise<string> {
  const { projectId } = state;
  const { head, settings } = context.records.project(projectId);
  const { client } = context.live.get(projectId);
  let evidence = 'The project is empty';
  if (head !== null) {
    const { limits } = context.store.settings.get();
    const zip = await contentOf(context, state, head, signal, (part) => progress(part * 0.95));
    const filled = await client.putWorkspace(zip.content, { links: 'keep', bytes: zip.bytes, maxBytes: limits.maxArchiveBytes, maxEntries: limits.maxEntries, signal });
    evidence = `Revision ${head.rev}: ${filled.files} files`;
  }
  const { changeCounter } = await client.activity({ signal });
  // Until a save brings the project's own rules, the agent watches by the usual ones: what others let in would change unseen. Such a project's first save reads everything.
  const isWatched = settings.exclude.preset === 'safe' && settings.exclude.rules.length === 0;
  context.records.patch(projectId, { baseRev: head?.rev ?? null, savedCounter: isWatched ? changeCounter : null, dirty: false });
  return evidence;
}

/**
 * The archive for the guest. A local one is inflated here, because an emulated guest does that many times slower; any other
 * is sent as it is, its end withheld until its hash is known to be right.
 */
async function contentOf(context: EnvironmentContext, state: HydrateState, head: Revision, signal: AbortSignal, progress: (part: number) => void): Promise<{ readonly content: Readable; readonly bytes: number | null }> {
  const path = context.cold.localPath(head.projectId, head.sha256);
  if (path === null || state.checked === null) {
    const archive = await context.cold.open(head.projectId, head.sha256).catch((error: unknown) => { throw lost(head, error); });
    return { content: context.files.guarded(archive, head.sha256, (bytes) => progress(bytes / Math.max(1, head.bytes))), bytes: head.bytes };
  }
  const found = await state.checked.catch((error: unknown) => { throw lost(head, error); });
  if (found.sha256 !== head.sha256) throw new VesselError('ARCHIVE_CORRUPT', `The archive of revision ${head.rev} is not the one that was verified`, { details: { rev: head.rev, expected: head.sha256, found: found.sha256 } });
  const { content } = await context.archiver.inflate(path, { signal, onProgress: (bytes) => progress(Math.min(1, bytes / Math.max(1, head.contentBytes))) });
  return { content, bytes: null };
}

/** A lost archive is a damaged one to whoever opens the project: an earlier revision is the way on. */
function lost(head: Revision, error: unknown): VesselError {
  const known = VesselError.from(error);
  if (known.code !== 'NOT_FOUND' && known.code !== 'ARCHIVE_CORRUPT') return known;
  return new VesselError('ARCHIVE_CORRUPT', `The archive of revision ${head.rev} is missing or unreadable in the cold store`, { cause: error, details: { rev: head.rev, sha256: head.sha256 } });
}
