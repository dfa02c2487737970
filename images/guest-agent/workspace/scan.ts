import { lstatSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { ExcludeConfig } from '#shared/archive-rules.ts';
import type { FolderExcluder } from '#shared/exclude/excluder.ts';
import { FolderCursor } from './folder-cursor.ts';
import { childNames, listFolder } from './folder-list.ts';
import { joinRaw, showPath, type RawPath } from './paths.ts';

export type ScanResult = { /** Relative paths of the folders that a save would enter; '' is the workspace. */ readonly folders: readonly string[]; /** Those of them in which the working tree of a Git repository begins. */ readonly repositories: readonly string[]; readonly fingerprint: number };

/**
 * Walks what a save would read. With `stats` the fingerprint covers size, mtime, ctime and inode of each entry, so that a change which
 * keeps size and mtime is seen all the same; without, only the folders are of use. What vanishes on the way is passed over.
 */
export function scanWorkspace(root: string, config: ExcludeConfig, stats: boolean): ScanResult {
  const folders: string[] = [];
  const repositories: string[] = [];
  let fingerprint = 0;
  const visit = (relative: RawPath, parent: FolderExcluder | null): void => {
    let list: ReturnType<typeof listFolder>;
    try {
      list = listFolder({ path: cursor.here, real: joinRaw(root, relative), relative: showPath(relative) }, parent, config);
    } catch {
      // Gone or closed to us: the save will say so.
      return;
    }
    if (typeof relative === 'string') folders.push(relative);
    if (typeof relative === 'string' && list.excluder.isRepository) repositories.push(relative);
    for (const { name, kind } of list.entries) {
      if (!list.excluder.decide({ name: showPath(name), kind, childNames: () => childNames(name) }).keep) continue;
      const inner = joinRaw(relative, name);
      if (stats) {
        const stat = lstatSync(name, { throwIfNoEntry: false });
        if (stat !== undefined) fingerprint = crc32(`${showPath(inner)}\0${stat.size} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.ino} ${stat.mode}`, fingerprint);
      }
      if (kind !== 'dir') continue;
      try {
        cursor.down(name);
      } catch {
        // As above.
        continue;
      }
      visit(inner, list.excluder);
      cursor.up();
    }
  };
  const cursor = new FolderCursor(root);
  try {
    visit('', null);
  } finally {
    cursor.close();
  }
  return { folders, repositories, fingerprint };
}
