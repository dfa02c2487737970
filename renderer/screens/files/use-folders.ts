import { useCallback, useEffect, useRef, useState } from 'react';
import type { ArchiveEntry, ArchiveTree } from '#shared/archive-contract.ts';
import type { ErrorShape } from '#shared/errors.ts';
import { type Folders, foldersOf } from '../../lib/file-tree.ts';
import { useClient } from '../../state/client-context.ts';
import { toShape } from '../../state/store.ts';

export type FolderState = {
  readonly folders: Folders;
  readonly expanded: ReadonlySet<string>;
  readonly totals: ArchiveTree['totals'] | null;
  readonly error: ErrorShape | null;
  toggle(path: string): void;
  /** Expands every folder that the path lies in. */
  uncover(path: string): void;
};

/** The folders of a revision, loaded as they are expanded. Another revision keeps what was expanded. */
export function useFolders(projectId: string, rev: number | null): FolderState {
  const client = useClient();
  const [folders, setFolders] = useState<Folders>({});
  const [totals, setTotals] = useState<ArchiveTree['totals'] | null>(null);
  const [expanded, setExpanded] = useState<ReadonlySet<string>>(new Set());
  const [error, setError] = useState<ErrorShape | null>(null);
  const generation = useRef(0);

  const load = useCallback(async (folder: string, of: number, next: Map<string, readonly ArchiveEntry[]> | null): Promise<void> => {
    if (rev === null) return;
    try {
      const entries: ArchiveEntry[] = [];
      let after: string | undefined;
      do {
        const page = await client.call('archive.tree', { projectId, rev, folder, ...(after === undefined ? {} : { after }) });
        entries.push(...page.entries);
        after = page.more ? page.entries.at(-1)?.path : undefined;
        if (generation.current === of) setTotals(page.totals);
      } while (after !== undefined);
      if (generation.current !== of) return;
      setError(null);
      if (next === null) setFolders((before) => ({ ...before, [folder]: entries }));
      else next.set(folder, entries);
    } catch (failure) {
      if (generation.current !== of) return;
      const shape = toShape(failure);
      // A folder that was expanded and is not in this revision is simply not there.
      if (folder !== '' && shape.code === 'NOT_FOUND') return;
      setError(shape);
    }
  }, [client, projectId, rev]);

  useEffect(() => {
    generation.current += 1;
    const of = generation.current;
    const next = new Map<string, readonly ArchiveEntry[]>();
    // All at once, so that the tree does not fold up while another revision is loaded.
    void Promise.all(['', ...expanded].map((folder) => load(folder, of, next))).then(() => { if (generation.current === of && next.size > 0) setFolders(Object.fromEntries(next)); });
    // What is expanded later is loaded by itself.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [load]);

  const expand = useCallback((paths: readonly string[]): void => {
    setExpanded((before) => new Set([...before, ...paths]));
    for (const path of paths) void load(path, generation.current, null);
  }, [load]);
  const toggle = useCallback((path: string): void => {
    if (expanded.has(path)) setExpanded((before) => new Set([...before].filter((item) => item !== path)));
    else expand([path]);
  }, [expanded, expand]);
  const uncover = useCallback((path: string): void => {
    const hidden = foldersOf(path).filter((folder) => !expanded.has(folder));
    if (hidden.length > 0) expand(hidden);
  }, [expanded, expand]);
  return { folders, expanded, totals, error, toggle, uncover };
}
