import { statSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import type { ExcludeConfig } from '#shared/archive-rules.ts';
import type { FolderExcluder } from '#shared/exclude/excluder.ts';
import { errnoOf } from '../log.ts';
import type { TrackedPaths } from '#shared/exclude/git-tracked.ts';
import { childNames, listFolder, type FolderPlace } from './folder-list.ts';
import { trackedIn } from './git-files.ts';

/** One inotify watch a folder, about 1 KB of kernel memory each; trees beyond this are scanned when somebody asks. */
const MAX_WATCHED_FOLDERS = 4000;
/** A scan of a huge tree takes seconds in an emulated guest. */
const MIN_SCAN_INTERVAL_MS = 30_000;

/** Enough to tell a person what keeps changing. */
const MAX_RECENT = 5;

/** A watched folder; the inode tells it from a later folder of the same name. */
type Watched = { readonly watcher: FSWatcher; readonly inode: number };

/**
 * A number that grows with every change noticed in what a save would carry. The kernel reports changes (inotify), so an idle workspace costs nothing.
 * A folder's watch ends with its first event and is set again when somebody reads the number: `rm -rf` or a checkout of thousands of files
 * costs a few events instead of one each. Nothing is missed: between the two nobody has seen the number, and the new watch stands before it is read.
 * Limits: writes through a memory map and changes inside left-out folders are not reported; each save therefore also compares a fingerprint
 * of its listing (size, mtime, ctime, inode) with the previous one, and {@link noteLook} compares one that is taken when it matters.
 * A change that is undone still counts. When a tree has more folders than can be watched, the fingerprint is taken anew on request, at most
 * every 30 s.
 */
export class ChangeCounter {
  readonly #workspace: string;
  readonly #onChange: () => void;
  readonly #watched = new Map<string, Watched>();
  /** Folders that changed and are not watched until the next read. */
  readonly #dirty = new Set<string>();
  /** The known folders in each folder: a tree of thousands is not searched for a few. */
  readonly #children = new Map<string, Set<string>>();
  #exclude: ExcludeConfig = { preset: 'safe', rules: [] };
  /** Begins elsewhere in each process: a restarted agent must never come to stand where a save of its predecessor did. */
  #value = Math.floor(Math.random() * 2 ** 47) + 1;
  /** Where Git repositories begin, with what they tracked when it was last looked: that decides which folders are watched. Null for not looked yet. */
  readonly #repositories = new Map<string, TrackedPaths | null>();
  /** Names of what changed lately, newest last. */
  readonly #recent = new Set<string>();
  #incomplete = false;
  #lastScan: { readonly at: number; readonly fingerprint: number } | null = null;
  #lastSave: { readonly fingerprint: number; readonly counter: number } | null = null;
  /** How everything lay right before the last save was read, or when an archive had been unpacked, and where the counter stood for it. */
  #base: { readonly fingerprint: number; readonly counter: number } | null = null;

  constructor(workspace: string, onChange: () => void) {
    this.#workspace = workspace;
    this.#onChange = onChange;
  }

  /** The number as of now. Sets the watches of changed folders again first. */
  read(): number {
    this.#settle();
    this.#settleRepositories();
    return this.#value;
  }

  /** Paths that changed since this was last asked, a few at most, and forgets them. */
  takeRecent(): readonly string[] {
    const recent = [...this.#recent];
    this.#recent.clear();
    return recent;
  }

  get exclude(): ExcludeConfig {
    return this.#exclude;
  }

  #bump(): void {
    this.#value += 1;
    this.#onChange();
  }

  /** The rules of a save become the rules of the watch. True when they differ: then watch() must be called again. */
  setExclude(exclude: ExcludeConfig): boolean {
    const differs = JSON.stringify(exclude) !== JSON.stringify(this.#exclude);
    this.#exclude = exclude;
    if (differs) {
      this.#lastSave = null;
      this.#base = null;
    }
    return differs;
  }

  /** While an archive is unpacked its files are no changes. Ends with watch(). */
  pause(): void {
    this.close();
    this.#value += 1;
    this.#lastSave = null;
    this.#lastScan = null;
    this.#base = null;
  }

  /** Watches exactly these folders (relative, '' for the root), and asks the Git repositories that begin in some of them what they track. */
  watch(folders: readonly string[], repositories: readonly string[]): void {
    this.close();
    this.#incomplete = false;
    this.#repositories.clear();
    for (const folder of folders) this.#add(folder);
    for (const repository of repositories) this.#repositories.set(repository, this.#leavesOut() ? trackedIn(this.#path(repository)) : null);
  }

  /** False when no rule can leave anything out: what Git tracks makes no difference then. */
  #leavesOut(): boolean {
    return this.#exclude.preset !== 'everything' || this.#exclude.rules.length > 0;
  }

  /** What Git tracks from now on is kept, so it has to be watched. */
  #settleRepositories(): void {
    if (!this.#leavesOut()) return;
    for (const [folder, before] of this.#repositories) {
      const now = trackedIn(this.#path(folder));
      if (now === before) continue;
      this.#repositories.set(folder, now);
      if (before !== null) this.#bump();
      try {
        this.#visitFolder(folder, this.#excluderOf(folder), true);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') this.#incomplete = true;
      }
    }
  }

  /** True when watching is not enough and the last scan is old. */
  wantsScan(): boolean {
    return this.#incomplete && (this.#lastScan === null || performance.now() - this.#lastScan.at > MIN_SCAN_INTERVAL_MS);
  }

  noteScan(fingerprint: number): void {
    if (this.#lastScan !== null && this.#lastScan.fingerprint !== fingerprint) this.#bump();
    this.#lastScan = { at: performance.now(), fingerprint };
  }

  /** A save has read everything, beginning when the counter stood at `counterAtStart`. Returns the counter that stands for what it read. */
  noteSave(fingerprint: number, counterAtStart: number): number {
    let counter = counterAtStart;
    if (this.#lastSave !== null && this.#lastSave.counter === counter && this.#value === counter && this.#lastSave.fingerprint !== fingerprint) {
      this.#bump();
      counter += 1;
    }
    this.#lastSave = { fingerprint, counter };
    return counter;
  }

  /** Takes a fingerprint as that of what the counter stands for. */
  noteBase(fingerprint: number, counter: number): void {
    this.#base = { fingerprint, counter };
    // What the kernel reported until now is counted: the next scan must not count it again.
    this.#lastScan = { at: performance.now(), fingerprint };
  }

  /** A fingerprint that was taken just now: counts what the kernel did not report since the last base. */
  noteLook(fingerprint: number): void {
    if (this.#base !== null && this.#base.counter === this.#value && this.#base.fingerprint !== fingerprint) this.#bump();
  }

  close(): void {
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
    this.#dirty.clear();
    this.#children.clear();
  }

  #path(folder: string): string {
    return join(this.#workspace, folder);
  }

  #place(folder: string): FolderPlace {
    return { path: this.#path(folder), real: this.#path(folder), relative: folder };
  }

  #add(folder: string): void {
    if (this.#watched.has(folder)) return;
    if (this.#watched.size >= MAX_WATCHED_FOLDERS) {
      this.#incomplete = true;
      return;
    }
    try {
      const watcher = watch(this.#path(folder), (_event, name) => this.#onEvent(folder, watcher, name));
      watcher.on('error', () => this.#onEvent(folder, watcher, null));
      this.#watched.set(folder, { watcher, inode: statSync(this.#path(folder)).ino });
      this.#remember(folder);
    } catch (error) {
      // Gone again is fine; no more watches to be had means scanning.
      if (errnoOf(error) !== 'ENOENT') this.#incomplete = true;
    }
  }

  #onEvent(folder: string, watcher: FSWatcher, name: string | null): void {
    if (this.#watched.get(folder)?.watcher !== watcher) return;
    const path = [folder, name ?? ''].filter((part) => part !== '').join('/');
    this.#recent.delete(path);
    this.#recent.add(path);
    for (const oldest of this.#recent) if (this.#recent.size > MAX_RECENT) this.#recent.delete(oldest);
    watcher.close();
    this.#watched.delete(folder);
    this.#dirty.add(folder);
    this.#bump();
  }

  /** Enters a folder below its parent, and that below its own. */
  #remember(folder: string): void {
    for (let path = folder; path !== '';) {
      const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      const children = this.#children.get(parent);
      if (children?.has(path) === true) return;
      if (children === undefined) this.#children.set(parent, new Set([path]));
      else children.add(path);
      path = parent;
    }
  }

  /** Forgets a folder and all below it. */
  #drop(folder: string): void {
    const below = [folder];
    for (let path = below.pop(); path !== undefined; path = below.pop()) {
      below.push(...this.#children.get(path) ?? []);
      this.#children.delete(path);
      this.#watched.get(path)?.watcher.close();
      this.#watched.delete(path);
      this.#dirty.delete(path);
    }
    this.#children.get(folder.slice(0, Math.max(0, folder.lastIndexOf('/'))))?.delete(folder);
  }

  #settle(): void {
    for (const folder of [...this.#dirty].sort()) {
      // An earlier round may have dropped it with its parent.
      if (!this.#dirty.delete(folder)) continue;
      try {
        this.#add(folder);
        this.#visitFolder(folder, this.#excluderOf(folder), false);
      } catch (error) {
        if (folder !== '') this.#drop(folder);
        if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') this.#incomplete = true;
      }
    }
  }

  /** The rules of the folder that holds `folder`; null for the root. */
  #excluderOf(folder: string): FolderExcluder | null {
    let excluder: FolderExcluder | null = null;
    let relative = '';
    for (const part of folder === '' ? [] : folder.split('/')) {
      excluder = listFolder(this.#place(relative), excluder, this.#exclude).excluder;
      relative = relative === '' ? part : `${relative}/${part}`;
    }
    return excluder;
  }

  /** Watches new folders directly in a watched one, with all in them, and forgets the ones that are gone. `deep`: looks into those that are watched already, too. */
  #visitFolder(folder: string, parent: FolderExcluder | null, deep: boolean): void {
    const { entries, excluder } = listFolder(this.#place(folder), parent, this.#exclude);
    if (!excluder.isRepository) this.#repositories.delete(folder);
    else if (!this.#repositories.has(folder)) this.#repositories.set(folder, trackedIn(this.#path(folder)));
    const prefix = folder === '' ? '' : `${folder}/`;
    const present = new Set<string>();
    for (const { name, kind } of entries) {
      if (kind !== 'dir' || typeof name !== 'string') continue;
      const inner = prefix + name;
      if (!excluder.decide({ name, kind, childNames: () => childNames(this.#path(inner)) }).keep) continue;
      present.add(inner);
      const known = this.#watched.get(inner);
      if (this.#dirty.has(inner)) continue;
      const isKnown = known !== undefined && statSync(this.#path(inner), { throwIfNoEntry: false })?.ino === known.inode;
      if (isKnown && !deep) continue;
      if (!isKnown) {
        this.#drop(inner);
        this.#add(inner);
      }
      try {
        this.#visitFolder(inner, excluder, deep);
      } catch (error) {
        // Gone or closed to us meanwhile: its parent has reported that already.
        if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') this.#incomplete = true;
      }
    }
    for (const path of [...this.#children.get(folder) ?? []]) if (!present.has(path)) this.#drop(path);
  }
}
