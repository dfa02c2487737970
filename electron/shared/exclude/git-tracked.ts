import { parseGitIndex } from './git-index.ts';

/** What a repository tracks, by paths relative to its working tree. */
export type TrackedPaths = {
  /** True when it tracks this file or link, or something in this folder, or the folder as a repository of its own. */
  has(path: string): boolean;
  /** Why everything counts as tracked; null when the index could be read. */
  readonly problem: string | null;
  /** All paths, sorted; none when there is a problem. */
  readonly paths: readonly string[];
};

/** The file system as the finder needs it. Both throw the file system's error for what is there and cannot be read. */
export type GitFiles = {
  /** Follows links; null when there is nothing. */
  kindOf(path: string): 'file' | 'dir' | 'other' | null;
  /** Null when there is nothing. */
  read(path: string): Uint8Array | null;
};

export const GIT_ENTRY = '.git';
/** `gitdir: …`, in a submodule or a further working tree. */
const GITDIR = /^gitdir: (.+?)\r?\n?$/;
const MAX_GITDIR_BYTES = 8192;

export const NOTHING_TRACKED: TrackedPaths = { has: () => false, problem: null, paths: [] };

/** Knows nothing for certain, so nothing of it may be left out. */
export const everythingTracked = (problem: string): TrackedPaths => ({ has: () => true, problem, paths: [] });

/** What the repository whose working tree is `folder` tracks, when it holds a `.git`. Never throws: what cannot be read counts as tracking everything. */
export function findTracked(folder: string, files: GitFiles): TrackedPaths {
  try {
    const gitFolder = gitFolderOf(folder, files);
    return gitFolder === null ? NOTHING_TRACKED : readTracked(gitFolder, files);
  } catch (error) {
    return everythingTracked(error instanceof Error ? error.message : String(error));
  }
}

/** Where the repository itself lies; null when there is none. Throws when it should be somewhere and is not. */
export function gitFolderOf(folder: string, files: GitFiles): string | null {
  const entry = `${folder}/${GIT_ENTRY}`;
  const kind = files.kindOf(entry);
  if (kind === 'dir') return entry;
  if (kind !== 'file') return null;
  const bytes = files.read(entry);
  const target = bytes === null || bytes.length > MAX_GITDIR_BYTES ? undefined : GITDIR.exec(new TextDecoder().decode(bytes))?.[1];
  if (target === undefined) throw new Error('its .git file names no repository');
  const path = target.startsWith('/') ? target : `${folder}/${target}`;
  if (files.kindOf(path) !== 'dir') throw new Error(`the repository ${target} is not there`);
  return path;
}

function readTracked(gitFolder: string, files: GitFiles): TrackedPaths {
  const bytes = files.read(`${gitFolder}/index`);
  // Nothing has been added yet.
  if (bytes === null) return NOTHING_TRACKED;
  const index = parseGitIndex(bytes);
  if (index === null) return everythingTracked('its index is damaged or of an unknown kind');
  const paths = [...index.paths];
  if (index.sharedIndex !== null) {
    const shared = files.read(`${gitFolder}/sharedindex.${index.sharedIndex}`);
    const base = shared === null ? null : parseGitIndex(shared);
    if (base === null) return everythingTracked('the shared part of its index is missing or damaged');
    // Also what the split index takes out again: too much is kept rather than too little.
    paths.push(...base.paths);
  }
  return trackedOf(paths);
}

/** Looks up a list of paths. Folders of a sparse index (`a/`) stand for all below them. */
export function trackedOf(paths: readonly string[]): TrackedPaths {
  // A sorted list takes a fraction of the memory that a set with all folders would; Git's own order is nearly this one.
  const sorted = [...paths].sort();
  const whole = paths.filter((path) => path.endsWith('/'));
  const firstNotBefore = (wanted: string): string | undefined => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] ?? '') < wanted) low = middle + 1;
      else high = middle;
    }
    return sorted[low];
  };
  return {
    problem: null, paths: sorted,
    has: (path) => firstNotBefore(path) === path || firstNotBefore(`${path}/`)?.startsWith(`${path}/`) === true || whole.some((folder) => path.startsWith(folder)),
  };
}

/** True when both say the same of every path. */
export function sameTracked(a: TrackedPaths, b: TrackedPaths): boolean {
  return a === b || (a.problem === b.problem && a.paths.length === b.paths.length && a.paths.every((path, index) => path === b.paths[index]));
}
