import { VesselError } from '#shared/errors.ts';
import type { SaveResult } from '#shared/contract.ts';
import type { WorkspaceOutSummary } from '#shared/guest-protocol.ts';
import type { ExcludeConfig } from '#shared/archive-rules.ts';
import type { Revision } from '#shared/project.ts';
import type { StoredArchive } from '../../ports/cold-store.ts';
import type { ArchiveCount } from '../../ports/archiver.ts';
import type { GuestClient } from '../../ports/guest.ts';
import type { ServiceContext } from '../context.ts';
import type { StepContext, StepDefinition } from '../operations/definition.ts';
import { throwIfAborted } from '../operations/run-steps.ts';
import { pruneRevisions, recordRevision, verifyStored } from '../revisions.ts';

/** Whose workspace is saved, and what is known when the steps begin. */
export type SaveState = {
  readonly projectId: string;
  readonly reason: Revision['reason'];
  readonly exclude: ExcludeConfig;
  /** Asked when the steps run, because an operation may wait for another one first. */
  readonly client: () => GuestClient;
  /** Change counter at the base revision; null when unknown. */
  readonly savedCounter: () => number | null;
  /** The revision the workspace started from; the head must still be it. */
  readonly baseRev: () => number | null;
  /** Called once the workspace is known to be safe as `revision`. */
  readonly onSafe: (revision: Revision, counter: number, stillChanging: boolean) => void;
  counter: number | null;
  unchanged: boolean;
  stored: StoredArchive | null;
  count: ArchiveCount | null;
  summary: WorkspaceOutSummary | null;
  revision: Revision | null;
  changed: boolean;
};

export function newSaveState(given: Pick<SaveState, 'projectId' | 'reason' | 'exclude' | 'client' | 'savedCounter' | 'baseRev' | 'onSafe'>): SaveState {
  return { ...given, counter: null, unchanged: false, stored: null, count: null, summary: null, revision: null, changed: false };
}

export function saveResult(state: SaveState): SaveResult {
  const { revision } = state;
  if (revision === null) throw new VesselError('INTERNAL', 'A save ended without a revision');
  return {
    archive: { rev: revision.rev, sha256: revision.sha256, bytes: revision.bytes, files: revision.files, verifiedAt: revision.verifiedAt },
    revision, changed: state.changed,
  };
}

/**
 * The steps of a save, in their order: ask whether anything changed; stream the workspace out, compress and hash it into
 * the store; read it back and compare; move the head. The guest runs on all the while.
 */
export function saveSteps(context: ServiceContext): readonly StepDefinition<SaveState>[] {
  const needed = (state: SaveState): boolean => !state.unchanged;
  return [
    { id: 'check', title: 'Look for changes', weight: 5, run: (step) => checkChanges(context, step) },
    { id: 'read', title: 'Read the workspace into cold storage', weight: 80, needed, run: (step) => readWorkspace(context, step) },
    { id: 'verify', title: 'Read the archive back and compare', weight: 10, needed, run: (step) => verify(context, step) },
    { id: 'record', title: 'Make it the current revision', weight: 5, needed, run: (step) => record(context, step) },
  ];
}

/** All save steps in a row, for the repetitions of Save & Exit. */
export async function saveOnce(context: ServiceContext, step: StepContext<SaveState>): Promise<void> {
  const { state } = step;
  Object.assign(state, { counter: null, unchanged: false, stored: null, count: null, summary: null });
  for (const definition of saveSteps(context)) {
    if (definition.needed?.(state) === false) continue;
    throwIfAborted(step.signal);
    await definition.run(step);
  }
}

async function checkChanges(context: ServiceContext, { state, signal }: StepContext<SaveState>): Promise<string> {
  const head = context.store.projects.get(state.projectId)?.head ?? null;
  const isSaved = async (look: boolean): Promise<boolean> => {
    ({ changeCounter: state.counter } = await state.client().activity({ signal, look }));
    return state.savedCounter() === state.counter && state.baseRev() === head?.rev;
  };
  // A person relies on the answer: that nothing changed is said only after a look at everything.
  if (!await isSaved(false) || head === null || !await isSaved(true)) return 'There are changes since the last revision';
  state.unchanged = true;
  state.revision = head;
  if (state.counter !== null) state.onSafe(head, state.counter, false);
  return `Nothing changed since revision ${head.rev}`;
}

async function readWorkspace(context: ServiceContext, { state, signal, progress, log }: StepContext<SaveState>): Promise<string> {
  const { limits } = context.store.settings.get();
  const expected = context.store.projects.get(state.projectId)?.head?.contentBytes ?? 0;
  const began = context.runtime.now();
  const { content, summary } = await state.client().saveWorkspace(state.exclude, { maxBytes: limits.maxArchiveBytes, maxEntries: limits.maxEntries }, { signal }).catch((error: unknown) => { throw refused(error); });
  const zip = context.archiver.transcode(content, summary, {
    ...limits, signal,
    onProgress: (bytes) => progress(expected > 0 ? Math.min(0.98, bytes / expected) : 0.5, `${megabytes(bytes)} read`),
  });
  context.runtime.fault('save.reading');
  state.stored = await context.cold.put(state.projectId, zip.content, { signal });
  context.runtime.fault('save.stored');
  state.count = await zip.count;
  state.summary = await summary;
  const { leftOut, changedWhileReading, warnings = [] } = state.summary;
  // An agent of an older image leaves out what its user may not read, and only mentions it.
  const unread = leftOut.filter(({ reason }) => reason.startsWith('cannot be read'));
  if (unread.length > 0) throw new VesselError('SAVE_INCOMPLETE', `${unread.slice(0, SHOWN).map(({ path, reason }) => `${JSON.stringify(path)} ${reason}`).join('; ')}${more(unread.length)}`, { details: { count: unread.length } });
  for (const warning of warnings.slice(0, SHOWN)) log(warning, 'warn');
  if (leftOut.length > 0) log(`Left out: ${leftOut.slice(0, SHOWN).map((item) => `${item.path} (${item.reason})`).join(', ')}${more(leftOut.length)}`);
  if (changedWhileReading.length > 0) log(`Changed while being read, will be saved again: ${changedWhileReading.slice(0, SHOWN).join(', ')}${more(changedWhileReading.length)}`, 'warn');
  return `${state.count.files} files, ${megabytes(state.count.contentBytes)} as ${megabytes(state.stored.bytes)} in ${context.runtime.now() - began} ms`;
}

/** The table's advice is for archives from elsewhere. */
function refused(error: unknown): VesselError {
  const known = VesselError.from(error);
  return known.code === 'ARCHIVE_TOO_LARGE' ? new VesselError(known.code, known.message, { cause: error, hint: 'Remove or exclude the largest files, or raise the limit in settings.', details: { ...known.details } }) : known;
}

/** Reads the archive back twice at once: against its hash, and as an open does, so that a verified revision is one that opens. */
async function verify(context: ServiceContext, { state, signal }: StepContext<SaveState>): Promise<string> {
  const stored = storedOf(state);
  const path = context.cold.localPath(state.projectId, stored.sha256);
  const opens = path === null ? Promise.resolve(null) : context.archiver.check(path, { ...context.store.settings.get().limits, signal });
  const [, count] = await Promise.all([verifyStored(context, state.projectId, stored), opens.catch((error: unknown) => { throw notVerified(error); })]);
  if (count !== null && count.entries !== state.count?.entries) throw notVerified(new VesselError('ARCHIVE_CORRUPT', `${count.entries} entries were read back, ${state.count?.entries ?? 0} written`));
  return `SHA-256 ${stored.sha256.slice(0, 12)}… matches`;
}

function notVerified(error: unknown): VesselError {
  const known = VesselError.from(error);
  return known.code === 'CANCELLED' ? known : new VesselError('SAVE_NOT_VERIFIED', `The saved archive would not open: ${known.message}`, { cause: error, details: { ...known.details } });
}

async function record(context: ServiceContext, { state, log }: StepContext<SaveState>): Promise<string> {
  const stored = storedOf(state);
  const { count, summary, counter } = state;
  if (count === null || summary === null || counter === null) throw new VesselError('INTERNAL', 'A save lost its summary');
  const now = context.runtime.now();
  const head = context.store.projects.get(state.projectId)?.head ?? null;
  const stillChanging = summary.changedWhileReading.length > 0 || summary.changeCounter !== counter;
  if (head !== null && head.sha256 === stored.sha256 && head.rev === state.baseRev()) {
    context.store.revisions.setVerified(state.projectId, head.rev, now);
    state.revision = { ...head, verifiedAt: now };
    state.onSafe(state.revision, counter, stillChanging);
    return `The content equals revision ${head.rev}`;
  }
  state.revision = await recordRevision(context, {
    projectId: state.projectId, sha256: stored.sha256, bytes: stored.bytes, files: count.files, contentBytes: count.contentBytes,
    reason: state.reason, createdAt: now, verifiedAt: now, leftOut: summary.leftOut,
  }, state.baseRev());
  state.changed = true;
  state.onSafe(state.revision, counter, stillChanging);
  try {
    const { retention } = context.store.settings.get();
    await pruneRevisions(context, state.projectId, retention);
  } catch (error) {
    // The save itself is done and safe; pruning comes round again after the next one.
    log(`Old revisions could not be pruned: ${VesselError.from(error).message}`, 'warn');
  }
  return `Revision ${state.revision.rev}`;
}

function storedOf(state: SaveState): StoredArchive {
  if (state.stored === null) throw new VesselError('INTERNAL', 'A save lost its archive');
  return state.stored;
}

const SHOWN = 20;
function more(count: number): string { return count > SHOWN ? ` and ${count - SHOWN} more` : ''; }
function megabytes(bytes: number): string { return bytes < 100_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`; }
