import { lstatSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import type { ExcludeConfig } from '#shared/archive-rules.ts';
import type { FolderExcluder } from '#shared/exclude/excluder.ts';
import { childNames, listFolder } from './folder-list.ts';

/** One inotify watch a folder, about 1 KB of kernel memory each; trees beyond this are scanned when somebody asks. */
const MAX_WATCHED_FOLDERS = 4000;
/** A scan of a huge tree takes seconds in an emulated guest. */
const MIN_SCAN_INTERVAL_MS = 30_000;

/**
 * A number that grows with every change noticed in what a save would carry. The kernel reports changes (inotify), so an idle workspace costs nothing.
 * Limits: writes through a memory map and changes inside left-out folders are not reported; each save therefore also compares a fingerprint
 * of its listing (size, mtime, ctime, inode) with the previous one. A change that is undone still counts. When a tree has more folders than
 * can be watched, the fingerprint is taken anew on request, at most every 30 s.
 */
export class ChangeCounter {
  readonly #workspace: string;
  readonly #onChange: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #exclude: ExcludeConfig = { preset: 'safe', rules: [] };
  #value = 1;
  #incomplete = false;
  #lastScan: { readonly at: number; readonly fingerprint: number } | null = null;
  #lastSave: { readonly fingerprint: number; readonly counter: number } | null = null;

  constructor(workspace: string, onChange: () => void) {
    this.#workspace = workspace;
    this.#onChange = onChange;
  }

  get value(): number {
    return this.#value;
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
    if (differs) this.#lastSave = null;
    return differs;
  }

  /** While an archive is unpacked its files are no changes. Ends with watch(). */
  pause(): void {
    this.close();
    this.#value += 1;
    this.#lastSave = null;
    this.#lastScan = null;
  }

  /** Watches exactly these folders (relative, '' for the root). */
  watch(folders: readonly string[]): void {
    this.close();
    this.#incomplete = false;
    for (const folder of folders) this.#add(folder);
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

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #add(folder: string): void {
    if (this.#watchers.has(folder)) return;
    if (this.#watchers.size >= MAX_WATCHED_FOLDERS) {
      this.#incomplete = true;
      return;
    }
    try {
      const watcher = watch(join(this.#workspace, folder), (event, name) => this.#onEvent(folder, event, name));
      watcher.on('error', () => this.#drop(folder));
      this.#watchers.set(folder, watcher);
    } catch (error) {
      // Gone again is fine; no more watches to be had means scanning.
      if ((error as { readonly code?: string }).code !== 'ENOENT') this.#incomplete = true;
    }
  }

  #drop(folder: string): void {
    for (const [path, watcher] of this.#watchers) {
      if (path !== folder && !path.startsWith(`${folder}/`)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
  }

  #onEvent(folder: string, event: string, name: string | null): void {
    this.#bump();
    if (event !== 'rename' || name === null) return;
    const path = folder === '' ? name : `${folder}/${name}`;
    const stat = lstatSync(join(this.#workspace, path), { throwIfNoEntry: false });
    if (stat === undefined || !stat.isDirectory()) {
      if (path !== '' && this.#watchers.has(path)) this.#drop(path);
      return;
    }
    // A folder of this name may be another one than before: its old watch, if any, is dead.
    if (this.#watchers.has(path)) this.#drop(path);
    try {
      this.#discover(path);
    } catch {
      // It vanished while we looked: its parent reports that next.
    }
  }

  /** Watches a new folder and all in it, unless a save would leave it out. */
  #discover(folder: string): void {
    const parts = folder.split('/');
    let excluder: FolderExcluder | null = null;
    let relative = '';
    for (const part of parts) {
      excluder = listFolder(join(this.#workspace, relative), relative, excluder, this.#exclude).excluder;
      const next = relative === '' ? part : `${relative}/${part}`;
      if (!excluder.decide({ name: part, kind: 'dir', childNames: () => childNames(join(this.#workspace, next)) }).keep) return;
      relative = next;
    }
    const visit = (path: string, parent: FolderExcluder | null): void => {
      this.#add(path);
      const list = listFolder(join(this.#workspace, path), path, parent, this.#exclude);
      for (const { name, kind } of list.entries) {
        if (kind !== 'dir' || typeof name !== 'string') continue;
        const inner = `${path}/${name}`;
        if (list.excluder.decide({ name, kind, childNames: () => childNames(join(this.#workspace, inner)) }).keep) visit(inner, list.excluder);
      }
    };
    visit(folder, excluder);
  }
}
