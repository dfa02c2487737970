import type { Readable } from 'node:stream';
import type { ArchiveScan } from '#shared/archive-contract.ts';
import type { Handlers } from '#shared/contract.ts';
import type { offlineCalls, offlineStreams } from '#shared/offline-calls.ts';
import { VesselError } from '#shared/errors.ts';
import type { ArchiveReader, TextTools } from '../ports/archive-reader.ts';
import type { CopiesPolicy, SafeCopies } from '../ports/safe-copies.ts';
import type { Store } from '../ports/store.ts';
import { Archives } from './archives.ts';
import { Browse } from './browse.ts';
import { Compare } from './compare.ts';
import { audit, type ServiceContext } from './context.ts';
import { DraftReviews } from './draft-review.ts';
import { Drafts } from './drafts.ts';
import { restoreFiles, type EditTools } from './edits.ts';
import { checkStore, type CopySource, type FsckNeeds } from './fsck.ts';
import type { History } from './history.ts';
import { scanRevision } from './scan.ts';
import type { Projects } from './projects.ts';

export type OfflineParts = { readonly context: ServiceContext; readonly projects: Projects; readonly history: History; readonly reader: ArchiveReader; readonly texts: TextTools; readonly copies: SafeCopies; readonly sources: readonly CopySource[]; readonly clouds?: FsckNeeds['clouds'] };
type OfflineHandlers = { readonly calls: Pick<Handlers['calls'], keyof typeof offlineCalls>; readonly streams: Pick<Handlers['streams'], keyof typeof offlineStreams> };

/** Recent heads that are fetched without being asked for; more than anybody opens in a week. */
const RECENT_PROJECTS = 50;
const KEEP_EVERY_MS = 10 * 60 * 1000;
const DEFAULT_BUDGET_BYTES = 5 * 1024 ** 3;

export function copiesPolicy(store: Pick<Store, 'kept' | 'settings'>): CopiesPolicy {
  return { budgetBytes: store.settings.get().offline?.budgetBytes ?? DEFAULT_BUDGET_BYTES, kept: new Set(store.kept.list()) };
}

/** Everything that needs no environment and no network: looking into revisions, comparing, editing, checking. */
export class Offline {
  readonly drafts: Drafts;
  readonly archives: Archives;
  readonly #parts: OfflineParts;
  readonly #tools: EditTools;
  readonly #browse: Browse;
  readonly #compare: Compare;
  readonly #reviews: DraftReviews;
  readonly #ending = new AbortController();
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(parts: OfflineParts) {
    const { context, projects, history, reader, texts, copies } = parts;
    this.#parts = parts;
    this.archives = new Archives(reader, copies, history);
    this.#tools = { context, projects, archives: this.archives, reader };
    this.drafts = new Drafts(this.#tools);
    this.#browse = new Browse(this.archives);
    this.#compare = new Compare(this.archives, texts);
    this.#reviews = new DraftReviews(this.#tools, this.drafts, texts);
  }

  start(): void {
    this.drafts.start();
    if (this.#parts.copies.whole) return;
    void this.keepCopies();
    this.#timer = setInterval(() => void this.keepCopies(), KEEP_EVERY_MS);
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#ending.abort();
    this.drafts.close();
    await this.archives.close();
  }

  /** Fetches the last safe copies of kept and recent projects. Never throws: with the network off it is tried again later. */
  async keepCopies(): Promise<void> {
    const { context: { store, runtime }, copies } = this.#parts;
    const { kept } = copiesPolicy(store);
    const recent = store.projects.list(false).filter(({ head }) => head !== null)
      .sort((a, b) => Number(kept.has(b.id)) - Number(kept.has(a.id)) || (b.lastOpenedAt ?? b.updatedAt) - (a.lastOpenedAt ?? a.updatedAt)).slice(0, RECENT_PROJECTS + kept.size);
    const wanted = recent.flatMap(({ id, head }) => head === null ? [] : [{ projectId: id, sha256: head.sha256, bytes: head.bytes }]);
    try {
      const failed = await copies.keep(wanted, this.#ending.signal);
      if (failed.length > 0) runtime.log(`safe copies of ${failed.length} projects could not be fetched; they are tried again`);
    } catch (error) {
      if (!this.#ending.signal.aborted) runtime.log(`safe copies: ${VesselError.from(error).message}`);
    }
  }

  /** A file of a revision for the HTTP door. */
  async openFile(projectId: string, rev: number | null, path: string): Promise<{ readonly content: Readable; readonly bytes: number; readonly fileName: string }> {
    const held = await this.archives.hold(projectId, rev ?? undefined, this.#ending.signal);
    try {
      const entry = held.archive.get(path);
      if (entry?.kind !== 'file') throw new VesselError('NOT_FOUND', `There is no file "${path}" in revision ${held.rev}`);
      const content = held.archive.stream(path, { signal: this.#ending.signal });
      content.once('close', () => void held.release());
      return { content, bytes: entry.size, fileName: path.slice(path.lastIndexOf('/') + 1) };
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  /** What of a revision a person may not want to leave this computer. */
  scan(projectId: string, rev: number | undefined, maxFileBytes: number | null, signal: AbortSignal): Promise<ArchiveScan> { return scanRevision(this.archives, projectId, rev, maxFileBytes, signal); }

  handlers(): OfflineHandlers {
    const { context, history, reader, copies, sources } = this.#parts;
    const started = ({ operationId }: { readonly operationId: string }): { operationId: string } => ({ operationId });
    return {
      calls: {
        'archive.tree': ({ projectId, rev, ...page }, { signal }) => this.#browse.tree(projectId, rev, { ...page, after: page.after }, signal),
        'archive.file': ({ projectId, rev, path, maxBytes }, { signal }) => this.#browse.file(projectId, rev, path, maxBytes, signal),
        'archive.copyOut': ({ projectId, rev, paths, to }, { signal }) => this.archives.use(projectId, rev, signal, async (archive, number) => {
          const copied = await reader.copyOut(archive, paths, to, signal);
          audit(context, { kind: 'revision.copied', projectId, text: `Copied ${copied.files} files of revision ${number} out`, data: { rev: number, path: to, files: copied.files } });
          return { rev: number, path: to, ...copied, leftOut: [...copied.leftOut] };
        }),
        'archive.scan': ({ projectId, rev, maxFileBytes }, { signal }) => this.scan(projectId, rev, maxFileBytes ?? null, signal),
        'history.diff': ({ projectId, from, to, limit }, { signal }) => this.#compare.trees(projectId, from, to, limit, signal),
        'history.diffFile': async ({ projectId, from, to, path, context: lines }, { signal }) => ({ path, diff: await this.#compare.file(projectId, from, to, path, lines, signal) }),
        'history.restoreFiles': async ({ projectId, rev, paths }) => started(restoreFiles(this.#tools, projectId, rev, paths)),
        'history.pin': ({ projectId, rev, pinned }) => history.pin(projectId, rev, pinned),
        'store.check': async ({ projectId, repair, sweep, copies }) => started(checkStore({ context, sources, clouds: this.#parts.clouds }, projectId, repair, { sweep, copies })),
        'drafts.list': async ({ projectId }) => this.drafts.list(projectId),
        'drafts.get': async ({ projectId, path }) => this.drafts.get(projectId, path),
        'drafts.put': ({ projectId, path, text, baseRev, seen }) => this.drafts.put(projectId, path, text, baseRev, seen),
        'drafts.discard': async ({ projectId, paths }) => this.drafts.discard(projectId, paths),
        'drafts.save': async ({ projectId }) => started(this.drafts.save(projectId)),
        'drafts.review': ({ projectId }, { signal }) => this.#reviews.review(projectId, signal),
        'drafts.resolve': ({ projectId, choices }, { signal }) => this.#reviews.resolve(projectId, choices, signal),
        'offline.status': async () => this.#status(),
        'offline.keep': async ({ projectId, keep }) => {
          this.#parts.projects.record(projectId);
          context.store.kept.set(projectId, keep);
          if (!copies.whole) void this.keepCopies();
          return { kept: [...context.store.kept.list()] };
        },
      },
      streams: {
        'archive.search': ({ projectId, rev, ...query }, { signal }) => this.#browse.search(projectId, rev, query, signal),
      },
    };
  }

  async #status(): Promise<{ whole: boolean; bytes: number; archives: number; budgetBytes: number; kept: string[]; available: string[] }> {
    const { context: { store }, copies } = this.#parts;
    const { budgetBytes, kept } = copiesPolicy(store);
    const available: string[] = [];
    for (const { id, head } of store.projects.list(false)) if (head !== null && (copies.whole || await copies.has(id, head.sha256))) available.push(id);
    return { whole: copies.whole, ...(await copies.stats()), budgetBytes, kept: [...kept], available };
  }
}
