import { VesselError } from '#shared/errors.ts';
import type { ArchiveReader, OpenArchive } from '../ports/archive-reader.ts';
import type { SafeCopies } from '../ports/safe-copies.ts';
import type { History } from './history.ts';

type Opened = { readonly archive: OpenArchive; end(): Promise<void> };
type Entry = { readonly key: string; readonly opened: Promise<Opened>; /** Null while it is fetched and opened. */ open: Opened | null; users: number; dropped: boolean };

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
  readonly #ending = new AbortController();

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
      const made: Entry = { key, users: 0, dropped: false, open: null, opened: this.#open(projectId, revision.sha256) };
      made.opened.then((open) => { made.open = open; }, () => { if (this.#kept.get(key) === made) this.#kept.delete(key); });
      entry = made;
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
    this.#ending.abort();
    const all = [...this.#kept.values()];
    this.#kept.clear();
    // An archive that could not be opened needs no closing.
    await Promise.all(all.map(async ({ opened }) => (await opened.catch(() => null))?.end()));
  }

  async #open(projectId: string, sha256: string): Promise<Opened> {
    const copy = await this.#copies.borrow(projectId, sha256, this.#ending.signal);
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
      if (entry.open === null) continue;
      archives += 1;
      entries += entry.open.archive.entries.length;
      if (archives === 1 || (archives <= KEPT_ARCHIVES && entries <= KEPT_ENTRIES)) continue;
      this.#kept.delete(entry.key);
      entry.dropped = true;
      if (entry.users === 0) await entry.open.end();
    }
  }
}
