import { MAX_VIEW_BYTES } from '#shared/archive-contract.ts';
import { DRAFT_SAVE_PAUSE_MS, MAX_DRAFT_BYTES, type Drafts as DraftsView } from '#shared/draft-contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { Revision } from '#shared/project.ts';
import { textVersion } from '#shared/text-version.ts';
import type { Edit, OpenArchive } from '../ports/archive-reader.ts';
import type { DraftRecord } from '../ports/store.ts';
import { audit } from './context.ts';
import { recordEdits, type EditTools } from './edits.ts';
import { viewOf } from './browse.ts';
import type { StartedOperation } from './operations/operations.ts';

const NEW_FILE_MODE = 0o644;
/** A store that cannot be reached is asked more and more rarely: each try is an operation that people see. */
const MAX_WAIT_MS = 10 * 60 * 1000;
const never = AbortSignal.any([]);

/**
 * Changes that were made without an environment. Each is in SQLite before its call answers; after a pause they become a revision.
 * When the project moved on meanwhile nothing is applied by itself: they wait for a review.
 */
export class Drafts {
  readonly #tools: EditTools;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Saves in a row that failed, by project. */
  readonly #failures = new Map<string, number>();
  #closed = false;
  #unsubscribe: (() => void) | null = null;

  constructor(tools: EditTools) { this.#tools = tools; }

  /** Takes up what an earlier run left. */
  start(): void {
    // An environment that ended, or a save that moved the head, changes what can become of drafts.
    this.#unsubscribe = this.#tools.context.operations.onChange(({ projectId, endedAt, kind, state }) => {
      if (projectId !== null && endedAt !== null && kind === 'edit') {
        if (state === 'failed') this.#failures.set(projectId, (this.#failures.get(projectId) ?? 0) + 1);
        else this.#failures.delete(projectId);
      }
      if (endedAt !== null && projectId !== null && !this.#closed && this.#tools.context.store.drafts.list(projectId).length > 0) this.#changed(projectId);
    });
    for (const projectId of this.#tools.context.store.drafts.projects()) this.#changed(projectId);
  }

  /** Drafts stay in the store; only their saving waits for the next start. */
  close(): void {
    this.#closed = true;
    this.#unsubscribe?.();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  list(projectId: string): DraftsView {
    const { projects, context } = this.#tools;
    const { head } = projects.record(projectId);
    const drafts = context.store.drafts.list(projectId);
    const baseRev = drafts[0]?.baseRev ?? null;
    const state = this.#isLocked(projectId) ? 'locked' : drafts.length === 0 ? 'clean' : baseRev !== null && this.#follows(projectId, baseRev) ? 'pending' : 'review';
    return {
      projectId, baseRev, headRev: head?.rev ?? null, state,
      drafts: drafts.map(({ path, text, updatedAt }) => ({ path, change: text === null ? 'removed' : 'changed', bytes: text === null ? 0 : Buffer.byteLength(text), updatedAt, version: text === null ? null : textVersion(text) })),
    };
  }

  get(projectId: string, path: string): { readonly path: string; readonly text: string | null; readonly updatedAt: number } | null {
    this.#tools.projects.record(projectId);
    const draft = this.#tools.context.store.drafts.get(projectId, path);
    return draft === null ? null : { path, text: draft.text, updatedAt: draft.updatedAt };
  }

  /**
   * Keeps one change. A text that is what the base has is no change. With `seen` it is refused when the file is neither what was seen
   * nor what it is to become: two windows then do not write over each other.
   */
  async put(projectId: string, path: string, text: string | null, baseRev: number, seen?: string | null): Promise<DraftsView> {
    const { store, runtime } = this.#tools.context;
    this.#tools.projects.record(projectId);
    for (let looked = ''; seen !== undefined && looked !== this.#stamp(projectId, path);) {
      looked = this.#stamp(projectId, path);
      await this.#checkSeen(projectId, path, text, baseRev, seen);
    }
    const project = this.#tools.projects.record(projectId);
    if (project.deletedAt !== null) throw new VesselError('NOT_FOUND', 'This project is deleted', { hint: 'Undelete it first.' });
    if (this.#isLocked(projectId)) throw new VesselError('ILLEGAL_TRANSITION', 'The environment of this project runs: its files are changed in there', { hint: 'Edit in VS Code, or Save & Exit first.' });
    if (text !== null && Buffer.byteLength(text) > MAX_DRAFT_BYTES) throw new VesselError('BAD_REQUEST', `A file that is edited here has at most ${MAX_DRAFT_BYTES} bytes`);
    checkPath(path);
    const base = store.drafts.list(projectId)[0]?.baseRev ?? null;
    const on = base === null || this.#follows(projectId, base) ? project.head?.rev ?? baseRev : base;
    if (baseRev !== on && !(on === project.head?.rev && this.#follows(projectId, baseRev))) {
      throw new VesselError('CONFLICT', `This change was made on revision ${baseRev}, the project is at ${on}`, { hint: 'Load the file again.', details: { baseRev, on } });
    }
    const draft: DraftRecord = { projectId, path, text, baseRev: on, updatedAt: this.#newTime(projectId, path, runtime.now()) };
    store.drafts.put(draft);
    try {
      if (await this.#textAt(projectId, on, path) === text) store.drafts.remove(projectId, [draft]);
    } catch (error) {
      const known = VesselError.from(error);
      // A path that cannot be is no change; an archive that cannot be read now must not cost what was typed.
      if (known.code !== 'BAD_REQUEST') { runtime.log(`draft of ${projectId} is kept without a look at its base: ${known.message}`); return this.#changed(projectId); }
      store.drafts.remove(projectId, [draft]);
      this.#changed(projectId);
      throw known;
    }
    return this.#changed(projectId);
  }

  /** What a file of a project is can only have changed when this did. */
  #stamp(projectId: string, path: string): string {
    return `${this.#tools.projects.record(projectId).head?.rev ?? 0}/${this.#tools.context.store.drafts.get(projectId, path)?.updatedAt ?? 0}`;
  }

  async #checkSeen(projectId: string, path: string, text: string | null, baseRev: number, seen: string | null): Promise<void> {
    const { store, runtime } = this.#tools.context;
    const { head } = this.#tools.projects.record(projectId);
    const draft = store.drafts.get(projectId, path);
    // Nothing happened since the editor read the file; an archive that is slow or away is not waited for.
    if (draft === null && (head === null || (head.rev === baseRev && seen !== null))) return;
    let now = draft?.text;
    if (draft === null && head !== null) {
      try {
        now = await this.#textAt(projectId, head.rev, path);
      } catch (error) {
        const { code, message } = VesselError.from(error);
        if (code !== 'BAD_REQUEST') runtime.log(`draft of ${projectId} is kept without a look at what it is over: ${message}`);
        return; // a path that cannot be is refused below
      }
    }
    if (now === text || (typeof now === 'string' ? textVersion(now) : now) === seen) return;
    throw new VesselError('CONFLICT', `"${path}" was changed in another window`, { retryable: false, hint: 'Take the other text, keep this one, or keep both.', details: { path, changedElsewhere: true } });
  }

  discard(projectId: string, paths: readonly string[] | undefined): DraftsView {
    const { store } = this.#tools.context;
    this.#tools.projects.record(projectId);
    const gone = store.drafts.list(projectId).filter(({ path }) => paths === undefined || paths.includes(path));
    store.drafts.remove(projectId, gone);
    if (gone.length > 0) audit(this.#tools.context, { kind: 'drafts.discarded', projectId, text: `Dropped ${gone.length} changes that were not saved`, data: { paths: gone.map(({ path }) => path) } });
    return this.#changed(projectId);
  }

  /** Throws DRAFTS_OUTDATED, BAD_REQUEST when there is nothing to save, BUSY. */
  save(projectId: string): StartedOperation {
    const { context, projects } = this.#tools;
    const project = projects.record(projectId);
    const { drafts, state } = this.list(projectId);
    const active = context.operations.active(projectId, null);
    if (active?.kind === 'edit') return { operationId: active.id, done: context.operations.settled(active.id) };
    if (state === 'locked') throw new VesselError('ILLEGAL_TRANSITION', 'The environment of this project runs', { hint: 'Save & Exit first.' });
    if (state === 'clean') throw new VesselError('BAD_REQUEST', 'There are no changes to save');
    if (state === 'review') throw new VesselError('DRAFTS_OUTDATED', undefined, { details: { files: drafts.length } });
    const ended: { revision: Revision | null } = { revision: null };
    return context.operations.start({
      kind: 'edit', title: `Save offline changes of ${project.name}`, projectId, hostId: project.hostId, cancellable: true,
      request: { call: 'drafts.save', input: { projectId } }, state: ended, result: () => ended.revision,
      steps: [{ id: 'compose', title: 'Make a revision of the changed files', weight: 1, run: async (step) => {
        const { head } = projects.record(projectId);
        const saved = context.store.drafts.list(projectId);
        if (head === null || saved.length === 0) return 'Nothing to save';
        // A revision of another computer may have come in since the click.
        if (!this.#follows(projectId, saved[0]?.baseRev ?? 0)) throw new VesselError('DRAFTS_OUTDATED', undefined, { details: { files: saved.length } });
        const edits = await this.#tools.archives.use(projectId, head.rev, step.signal, (base) => Promise.resolve(editsOf(base, saved)));
        ended.revision = edits.size === 0 ? head : await recordEdits(this.#tools, head, edits, 'offline-edit', step);
        context.store.drafts.remove(projectId, saved);
        context.store.drafts.setBase(projectId, ended.revision.rev);
        this.#changed(projectId);
        return `Revision ${ended.revision.rev}: ${saved.length} changed files`;
      } }],
    });
  }

  /** Called before the environment opens: what fits becomes the head that it is filled from. Null when there is nothing to do. */
  saveBeforeOpen(projectId: string): StartedOperation | null {
    if (this.#isLocked(projectId) || this.list(projectId).state !== 'pending') return null;
    const active = this.#tools.context.operations.active(projectId, null);
    return active === null || active.kind === 'edit' ? this.save(projectId) : null;
  }

  /** Puts the drafts on another base; the caller has made them fit. */
  rebase(projectId: string, texts: ReadonlyMap<string, string | null>, dropped: readonly DraftRecord[], head: number): DraftsView {
    const { store, runtime } = this.#tools.context;
    store.drafts.remove(projectId, dropped);
    for (const [path, text] of texts) store.drafts.put({ projectId, path, text, baseRev: head, updatedAt: this.#newTime(projectId, path, runtime.now()) });
    store.drafts.setBase(projectId, head);
    return this.#changed(projectId);
  }

  /** True when only our own offline edits lie between a revision and the head. */
  #follows(projectId: string, rev: number): boolean {
    const { head } = this.#tools.projects.record(projectId);
    if (head === null || rev > head.rev) return false;
    if (rev === head.rev) return true;
    if (head.reason !== 'offline-edit') return false;
    return this.#tools.context.store.revisions.list(projectId).every((revision) => revision.rev <= rev || revision.rev > head.rev || revision.reason === 'offline-edit');
  }

  #isLocked(projectId: string): boolean {
    const { context, projects } = this.#tools;
    const state = projects.record(projectId).environment?.state ?? null;
    if (state !== null && state !== 'destroyed' && state !== 'error') return true;
    const kind = context.operations.active(projectId, null)?.kind;
    return kind === 'open' || kind === 'close' || kind === 'save';
  }

  /** Two changes in one millisecond are still two: a save must not take the second for the first. */
  #newTime(projectId: string, path: string, now: number): number {
    return Math.max(now, (this.#tools.context.store.drafts.get(projectId, path)?.updatedAt ?? 0) + 1);
  }

  async #textAt(projectId: string, rev: number, path: string): Promise<string | null | undefined> {
    return this.#tools.archives.use(projectId, rev, never, async (archive) => {
      for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
        const folder = archive.get(path.slice(0, at));
        if (folder !== null && folder.kind !== 'folder') throw new VesselError('BAD_REQUEST', `"${folder.path}" is no folder`, { details: { path } });
      }
      const entry = archive.get(path);
      if (entry === null) return null;
      if (entry.kind !== 'file') throw new VesselError('BAD_REQUEST', `"${path}" is no file`);
      const content = await viewOf(archive, entry, MAX_VIEW_BYTES, never);
      return content.form === 'text' ? content.text : undefined;
    });
  }

  #changed(projectId: string): DraftsView {
    const view = this.list(projectId);
    this.#tools.context.feed.setDrafts(view);
    this.#schedule(view);
    return view;
  }

  #schedule({ projectId, state }: DraftsView): void {
    clearTimeout(this.#timers.get(projectId));
    this.#timers.delete(projectId);
    if (this.#closed || state === 'clean' || state === 'review') return;
    this.#timers.set(projectId, setTimeout(() => this.#saveQuietly(projectId), Math.min(MAX_WAIT_MS, DRAFT_SAVE_PAUSE_MS * 4 ** (this.#failures.get(projectId) ?? 0))));
  }

  #saveQuietly(projectId: string): void {
    this.#timers.delete(projectId);
    try {
      // Its end is told to whoever listens, see `start`.
      if (this.list(projectId).state === 'pending') this.save(projectId);
      else this.#tools.context.feed.setDrafts(this.list(projectId));
    } catch (error) {
      const { code, message } = VesselError.from(error);
      // Something else works on the project; the drafts are safe and are saved after it. A project that is gone took its drafts along.
      if (code === 'BUSY') this.#schedule(this.list(projectId));
      else if (code !== 'NOT_FOUND') this.#tools.context.runtime.log(`drafts of ${projectId}: ${message}`);
    }
  }
}

function editsOf(base: OpenArchive, drafts: readonly DraftRecord[]): ReadonlyMap<string, Edit> {
  const edits = new Map<string, Edit>();
  for (const { path, text, updatedAt } of drafts) {
    const before = base.get(path);
    if (text !== null) edits.set(path, { kind: 'content', data: Buffer.from(text), mode: before?.kind === 'file' ? before.mode : NEW_FILE_MODE, mtime: Math.trunc(updatedAt / 1000) });
    else if (before !== null) edits.set(path, { kind: 'remove' });
  }
  return edits;
}

/** What the archive would refuse later is refused at once. */
function checkPath(path: string): void {
  const bad = path.includes('\0') || path.startsWith('/') || path.split('/').some((part) => part === '' || part === '.' || part === '..');
  if (bad) throw new VesselError('BAD_REQUEST', `"${path}" is no path inside the workspace`, { details: { path } });
}
