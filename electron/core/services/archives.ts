import { VesselError } from '#shared/errors.ts';
import type { ArchiveReader, OpenArchive } from '../ports/archive-reader.ts';
import type { SafeCopies } from '../ports/safe-copies.ts';
import type { History } from './history.ts';

type Entry = { readonly key: string; readonly opened: Promise<{ readonly archive: OpenArchive; end(): Promise<void> }>; users: number; dropped: boolean };

/** Directories kept in memory between calls: a browser asks for one folder after the other. */
const KEPT_ARCHIVES = 6;
/** A directory of more entries is not kept beside others. */
const KEPT_ENTRIES = 300_000;

/** Archives open for reading, shared by all who look into the same one. */
export class Archives {
  readonly #reader: ArchiveReader;
  readonly #copies: SafeCopies;
  readonly #history: Pick<History, 'revision'>;
  /** The last used last. */
  readonly #kept = new Map<string, Entry>();

  constructor(reader: ArchiveReader, copies: SafeCopies, history: Pick<History, 'revision'>) {
    this.#reader = reader;
    this.#copies = copies;
    this.#history = history;
  }

  /** Lets `work` read a revision, the current one without `rev`. Throws NOT_FOUND, ARCHIVE_CORRUPT, or what an unreachable store throws. */
  async use<T>(projectId: string, rev: number | undefined, signal: AbortSignal, work: (archive: OpenArchive, rev: number) => Promise<T>): Promise<T> {
    const held = await this.hold(projectId, rev, signal);
    try {
      return await work(held.archive, held.rev);
    } finally {
      await held.release();
    }
  }

  /** The same for work that outlives one call, such as a stream. */
  async hold(projectId: string, rev: number | undefined, signal: AbortSignal): Promise<{ readonly archive: OpenArchive; readonly rev: number; release(): Promise<void> }> {
    const revision = this.#history.revision(projectId, rev ?? null);
    const key = `${projectId}/${revision.sha256}`;
    let entry = this.#kept.get(key);
    if (entry === undefined) {
      // Nobody's signal: others may wait for the same archive.
      entry = { key, users: 0, dropped: false, opened: this.#open(projectId, revision.sha256) };
      entry.opened.catch(() => { this.#kept.delete(key); });
    }
    this.#kept.delete(key);
    this.#kept.set(key, entry);
    entry.users += 1;
    const mine = entry;
    try {
      const { archive } = await mine.opened;
      if (signal.aborted) throw new VesselError('CANCELLED');
      await this.#trim();
      return { archive, rev: revision.rev, release: () => this.#release(mine) };
    } catch (error) {
      await this.#release(mine);
      throw error;
    }
  }

  /** Ends the reading of everything. */
  async close(): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    // An archive that could not be opened needs no closing.
    await Promise.all(all.map(async ({ opened }) => (await opened.catch(() => null))?.end()));
  }

  async #open(projectId: string, sha256: string): Promise<{ readonly archive: OpenArchive; end(): Promise<void> }> {
    const copy = await this.#copies.borrow(projectId, sha256, AbortSignal.any([]));
    try {
      const archive = await this.#reader.open(copy.path);
      return { archive, end: async () => { await archive.close(); copy.release(); } };
    } catch (error) {
      copy.release();
      throw error;
    }
  }

  async #release(entry: Entry): Promise<void> {
    entry.users -= 1;
    if (entry.dropped && entry.users === 0) await (await entry.opened.catch(() => null))?.end();
  }

  async #trim(): Promise<void> {
    let archives = 0;
    let entries = 0;
    for (const entry of [...this.#kept.values()].reverse()) {
      const opened = await entry.opened.catch(() => null);
      archives += 1;
      entries += opened?.archive.entries.length ?? 0;
      if (archives === 1 || (archives <= KEPT_ARCHIVES && entries <= KEPT_ENTRIES)) continue;
      if (this.#kept.get(entry.key) !== entry || entry.dropped) continue;
      this.#kept.delete(entry.key);
      entry.dropped = true;
      if (entry.users === 0) await opened?.end();
    }
  }
}
