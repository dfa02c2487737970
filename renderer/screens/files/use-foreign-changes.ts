import { useEffect, useRef } from 'react';
import type { Drafts } from '#shared/draft-contract.ts';
import type { DraftWriter } from './use-draft-writer.ts';
import type { OpenFiles } from './use-open-files.ts';

/** Reads open files again that another window changed. What is typed here at the moment is never replaced: its own keeping finds out. */
export function useForeignChanges(drafts: Drafts | undefined, rev: number | null, tabs: OpenFiles, writer: DraftWriter): void {
  const current = useRef({ tabs, writer });
  useEffect(() => { current.current = { tabs, writer }; });
  const known = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    // The revision that these drafts are over is about to be shown: then it is looked at again.
    if (drafts !== undefined && drafts.headRev !== rev) return;
    const now = new Map(drafts?.drafts.map(({ path, version }) => [path, version]));
    for (const file of current.current.tabs.files) {
      const held = current.current.writer.held(file.path);
      if (file.state !== 'ready' || held === undefined) continue;
      const version = now.get(file.path);
      if (version === undefined ? known.current.has(file.path) : version !== held) current.current.tabs.reload(file.path, held);
    }
    known.current = new Set(now.keys());
  }, [drafts, rev]);
}
