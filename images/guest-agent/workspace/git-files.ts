import { readFileSync, statSync } from 'node:fs';
import { everythingTracked, findTracked, gitFolderOf, sameTracked, type GitFiles, type TrackedPaths } from '#shared/exclude/git-tracked.ts';
import { errnoOf } from '../log.ts';
import type { RawPath } from './paths.ts';

const isAbsent = (error: unknown): boolean => errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';

const FILES: GitFiles = {
  kindOf(path) {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? null : stat.isFile() ? 'file' : stat.isDirectory() ? 'dir' : 'other';
  },
  read(path) {
    try {
      // A pipe of this name would never end.
      if (!statSync(path).isFile()) throw new Error('its index is no regular file');
      return readFileSync(path);
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  },
};

/** More repositories than a workspace has; each costs some memory. */
const MAX_KNOWN = 64;
const known = new Map<string, { readonly stamp: string; readonly tracked: TrackedPaths }>();

/** Tells two states of an index apart; null when only a full look helps. */
function stampOf(folder: string): string | null {
  try {
    const git = gitFolderOf(folder, FILES);
    if (git === null) return 'none';
    const stat = statSync(`${git}/index`, { throwIfNoEntry: false });
    return stat === undefined ? `${git} no index` : `${git} ${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
  } catch {
    // Whatever is wrong there, the look itself says it.
    return null;
  }
}

/**
 * What the Git repository that begins in a folder tracks, by its index and without starting Git. Read anew only when the index has changed; the same list stays the same object. Never throws.
 */
export function trackedIn(folder: RawPath): TrackedPaths {
  if (typeof folder !== 'string') return everythingTracked('its path is not UTF-8');
  const stamp = stampOf(folder);
  const before = known.get(folder);
  if (before !== undefined && stamp !== null && before.stamp === stamp) return before.tracked;
  const found = findTracked(folder, FILES);
  const tracked = before !== undefined && sameTracked(before.tracked, found) ? before.tracked : found;
  known.delete(folder);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(folder, { stamp: stamp ?? '', tracked });
  return tracked;
}
