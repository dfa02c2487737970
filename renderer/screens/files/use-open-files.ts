import { useCallback, useEffect, useRef, useState } from 'react';
import type { ArchiveFile } from '#shared/archive-contract.ts';
import type { ErrorShape } from '#shared/errors.ts';
import type { Client } from '#shared/contract.ts';
import { useClient } from '../../state/client-context.ts';
import { toShape } from '../../state/store.ts';

export type OpenFile = { readonly path: string } & (
  | { readonly state: 'loading' }
  /** `text` null: not shown as text. `base` is the revision that an edit is made on. */
  | { readonly state: 'ready'; readonly base: number; readonly text: string | null; readonly form: ArchiveFile['content']['form'] | 'new' | 'removed'; readonly size: number; readonly version: number; /** What the editor may hold to be given this text, as `textVersion`; null: whatever it holds. */ readonly over: readonly string[] | null }
  | { readonly state: 'failed'; readonly error: ErrorShape }
);
export type OpenFiles = {
  readonly files: readonly OpenFile[];
  readonly active: OpenFile | null;
  open(path: string): void;
  close(path: string): void;
  /** Reads a file again, from the draft or the revision. With `over` it takes the place of that text only. */
  reload(path: string, over?: string | null): void;
};

/** What follows the texts that are shown. */
export type TextWatch = {
  /** Whether a new revision leaves the text of this file as it is here. */
  keep(path: string): boolean;
  /** What the editor holds as far as is known; null for nothing, undefined when it is newer than what is known. */
  held(path: string): string | null | undefined;
  /** A text was read; `version` null: there is none. */
  read(path: string, version: number, text: string | null): void;
};

/** The tabs: files of one revision, with the drafts over them when it is the current one. */
export function useOpenFiles(projectId: string, rev: number | null, withDrafts: boolean, first: string | null, watch: TextWatch): OpenFiles {
  const client = useClient();
  const [files, setFiles] = useState<readonly OpenFile[]>(first === null ? [] : [{ path: first, state: 'loading' }]);
  const [path, setPath] = useState<string | null>(first);
  const versions = useRef(0);
  const watcher = useRef(watch);
  useEffect(() => { watcher.current = watch; });
  /** The open paths at this moment, ahead of the next render. */
  const known = useRef<readonly string[]>(first === null ? [] : [first]);

  const load = useCallback(async (wanted: string, over: string | null | undefined): Promise<void> => {
    if (rev === null) return;
    const next = await readFile(client, projectId, rev, wanted, withDrafts);
    versions.current += 1;
    const loaded: OpenFile = next.state === 'ready' ? { ...next, version: versions.current } : next;
    if (loaded.state === 'ready' && (loaded.text !== null || loaded.form === 'removed')) watcher.current.read(wanted, loaded.version, loaded.text);
    setFiles((before) => before.map((file) => (file.path === wanted ? overtaking(file, loaded, over) : file)));
  }, [client, projectId, rev, withDrafts]);

  // Another revision is another text in every tab.
  // A revision that was made of what is typed here must not come back over what was typed since.
  useEffect(() => { for (const open of known.current) if (!watcher.current.keep(open)) void load(open, watcher.current.held(open)); }, [load]);

  const open = useCallback((wanted: string): void => {
    setPath(wanted);
    if (known.current.includes(wanted)) return;
    known.current = [...known.current, wanted];
    setFiles((before) => [...before, { path: wanted, state: 'loading' }]);
    void load(wanted, null);
  }, [load]);
  const close = useCallback((gone: string): void => {
    const at = known.current.indexOf(gone);
    const left = known.current.filter((open) => open !== gone);
    known.current = left;
    setFiles((before) => before.filter((file) => file.path !== gone));
    setPath((now) => (now === gone ? left[Math.min(at, left.length - 1)] ?? null : now));
  }, []);
  const reload = useCallback((again: string, over: string | null = null): void => void load(again, over), [load]);
  return { files, active: files.find((file) => file.path === path) ?? null, open, close, reload };
}

/** More texts than a tab in the background is given before it is looked at. */
const MAX_OVER = 20;

/** A tab in the background is given several texts before the editor is: any of them may still be what the editor holds. */
function overtaking(file: OpenFile, loaded: OpenFile, over: string | null | undefined): OpenFile {
  if (loaded.state !== 'ready' || over === null) return loaded;
  const earlier = file.state === 'ready' ? file.over ?? [] : [];
  return { ...loaded, over: [...earlier, ...(over === undefined ? [] : [over])].slice(-MAX_OVER) };
}

async function readFile(client: Client, projectId: string, rev: number, path: string, withDrafts: boolean): Promise<OpenFile> {
  try {
    const draft = withDrafts ? await client.call('drafts.get', { projectId, path }) : null;
    if (draft !== null) return { path, state: 'ready', base: rev, text: draft.text, form: draft.text === null ? 'removed' : 'text', size: draft.text?.length ?? 0, version: 0, over: null };
    const file = await client.call('archive.file', { projectId, rev, path });
    return { path, state: 'ready', base: file.rev, text: file.content.form === 'text' ? file.content.text : null, form: file.content.form, size: file.size, version: 0, over: null };
  } catch (error) {
    return { path, state: 'failed', error: toShape(error) };
  }
}
