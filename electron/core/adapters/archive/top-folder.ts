import { linkEnds } from '#shared/archive-links.ts';

type Placed<T> = { readonly entry: T; readonly path: string; readonly kind: 'file' | 'dir' | 'link' };

/**
 * The entries without the one folder that holds them all, as in a zip of a repository; null when there is no such folder, when nothing
 * but folders lies in it, or when one of its links leads beside it and would lead elsewhere then. `targets` are byte text.
 */
export function withoutTopFolder<T>(entries: readonly Placed<T>[], targets: ReadonlyMap<T, string>): { readonly folder: string; readonly entries: readonly Placed<T>[] } | null {
  const first = entries[0]?.path ?? '';
  const folder = first.split('/')[0] ?? '';
  const inside: Placed<T>[] = [];
  for (const item of entries) {
    if (item.path === folder) { if (item.kind !== 'dir') return null; continue; }
    if (!item.path.startsWith(`${folder}/`)) return null;
    inside.push({ ...item, path: item.path.slice(folder.length + 1) });
  }
  if (!inside.some(({ kind }) => kind !== 'dir')) return null;
  return changesLinks(entries, inside, targets) ? null : { folder, entries: inside };
}

function changesLinks<T>(before: readonly Placed<T>[], after: readonly Placed<T>[], targets: ReadonlyMap<T, string>): boolean {
  if (targets.size === 0) return false;
  const ends = (entries: readonly Placed<T>[]): ReadonlyMap<T, string | undefined> => {
    const links = entries.flatMap(({ entry, path }) => { const target = targets.get(entry); return target === undefined ? [] : [{ entry, path, target }]; });
    const found = linkEnds(new Map(links.map(({ path, target }) => [path, target])));
    return new Map(links.map(({ entry, path }) => [entry, found.get(path)]));
  };
  const now = ends(before);
  const then = ends(after);
  return [...then].some(([entry, end]) => now.get(entry) !== end);
}
