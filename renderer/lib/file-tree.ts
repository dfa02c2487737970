import type { ArchiveEntry } from '#shared/archive-contract.ts';
import type { Draft } from '#shared/draft-contract.ts';

/** One visible line of the tree. */
export type TreeRow = {
  readonly path: string;
  readonly name: string;
  readonly kind: ArchiveEntry['kind'];
  readonly depth: number;
  readonly size: number;
  readonly expanded: boolean;
  readonly loading: boolean;
  /** What an unsaved change does to it; `inside` says that something below it is changed. */
  readonly change: 'added' | 'changed' | 'removed' | 'inside' | null;
};
export type Folders = Readonly<Record<string, readonly ArchiveEntry[]>>;

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * The visible lines, in order: the children of the root, and of every expanded folder. Drafts are laid over what the revision
 * holds: a new file stands where it will be, in folders that exist only because of it.
 */
export function visibleRows(folders: Folders, expanded: ReadonlySet<string>, drafts: readonly Draft[]): readonly TreeRow[] {
  const rows: TreeRow[] = [];
  // A folder that only drafts make has nothing to be loaded.
  const exists = (folder: string): boolean => folder === '' || (folders[parentOf(folder)] ?? []).some(({ path }) => path === folder);
  const walk = (folder: string, depth: number): void => {
    const entries = new Map((folders[folder] ?? []).map((entry) => [entry.path, entry]));
    const own = folder === '' ? drafts : drafts.filter(({ path }) => path.startsWith(`${folder}/`));
    const known = folders[folder] !== undefined || !exists(folder);
    for (const { path, change } of known ? own : []) {
      const rest = path.slice(folder === '' ? 0 : folder.length + 1);
      const slash = rest.indexOf('/');
      const child = slash === -1 ? path : path.slice(0, path.length - rest.length + slash);
      if (!entries.has(child) && change !== 'removed') entries.set(child, { path: child, kind: slash === -1 ? 'file' : 'folder', size: 0, mode: 0, mtime: 0 });
    }
    const original = new Set((folders[folder] ?? []).map(({ path }) => path));
    const sorted = [...entries.values()].sort((a, b) => Number(b.kind === 'folder') - Number(a.kind === 'folder') || (a.path < b.path ? -1 : 1));
    for (const { path, kind, size } of sorted) {
      const draft = own.find((candidate) => candidate.path === path);
      const inside = kind === 'folder' && own.some((candidate) => candidate.path.startsWith(`${path}/`));
      const isOpen = kind === 'folder' && expanded.has(path);
      const isNew = !original.has(path);
      rows.push({
        path, name: nameOf(path), kind, depth, size, expanded: isOpen, loading: isOpen && !isNew && folders[path] === undefined,
        change: draft !== undefined ? (draft.change === 'removed' ? 'removed' : isNew ? 'added' : 'changed') : inside ? 'inside' : null,
      });
      if (isOpen) walk(path, depth + 1);
    }
  };
  walk('', 0);
  return rows;
}

/** Every folder that a path lies in, outermost first. */
export function foldersOf(path: string): readonly string[] {
  const folders: string[] = [];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) folders.push(path.slice(0, at));
  return folders;
}
