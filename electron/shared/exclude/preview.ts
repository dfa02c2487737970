import type { ExcludeConfig, LeftOut } from '../archive-rules.ts';
import { FolderExcluder, IGNORE_FILE } from './excluder.ts';
import { GIT_ENTRY, trackedOf } from './git-tracked.ts';

type Node = { readonly children: Map<string, Node>; isFolder: boolean };

/**
 * What a save with `config` would leave out of a list of paths (folders end in `/`, missing parents are implied), without a file system.
 * `ignoreFiles` gives the content of `.vesselignore` files by their path, `tracked` what Git tracks by the path of the repository's working tree ('' for the root);
 * a `.git` without it tracks nothing. A folder left out is named once, with a trailing slash.
 */
export function previewExclude(paths: readonly string[], config: ExcludeConfig, ignoreFiles: Readonly<Record<string, string>> = {}, tracked: Readonly<Record<string, readonly string[]>> = {}): { readonly kept: readonly string[]; readonly leftOut: readonly LeftOut[] } {
  const root: Node = { children: new Map(), isFolder: true };
  for (const path of paths) {
    let node = root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      node.isFolder = true;
      const next: Node = node.children.get(name) ?? { children: new Map(), isFolder: false };
      node.children.set(name, next);
      node = next;
    }
    if (path.endsWith('/')) node.isFolder = true;
  }
  const kept: string[] = [];
  const leftOut: LeftOut[] = [];
  const visit = (node: Node, path: string, parent: FolderExcluder | null): void => {
    const prefix = path === '' ? '' : `${path}/`;
    const view = { path, names: new Set(node.children.keys()), ignoreFile: ignoreFiles[prefix + IGNORE_FILE] ?? null, tracked: node.children.has(GIT_ENTRY) ? () => trackedOf(tracked[path] ?? []) : null };
    const excluder = parent === null ? FolderExcluder.root(config, view) : parent.child(view);
    for (const [name, child] of [...node.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const shown = prefix + name + (child.isFolder ? '/' : '');
      const decision = excluder.decide({ name, kind: child.isFolder ? 'dir' : 'file', childNames: () => [...child.children.keys()] });
      if (decision.report !== null) leftOut.push({ path: shown, reason: decision.report });
      if (!decision.keep) continue;
      kept.push(shown);
      if (child.isFolder) visit(child, prefix + name, excluder);
    }
  };
  visit(root, '', null);
  return { kept, leftOut };
}
