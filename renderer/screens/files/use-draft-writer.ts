import { useCallback, useEffect, useRef, useState } from 'react';
import type { ErrorShape } from '#shared/errors.ts';
import { textVersion } from '#shared/text-version.ts';
import { copyName } from '../../lib/copy-name.ts';
import { useClient } from '../../state/client-context.ts';
import { toastError, toShape, useStore } from '../../state/store.ts';

/** Keys come faster than this; each pause of a quarter of a second is kept. */
const PAUSE_MS = 250;
const RETRY_MS = 3000;
const REFUSALS: ReadonlySet<string> = new Set(['CONFLICT', 'ILLEGAL_TRANSITION', 'BAD_REQUEST', 'NOT_FOUND']);
/** `seen`: what the text was typed over, null when there was no file; undefined: a person chose it over whatever is there. */
type Pending = { readonly text: string | null; readonly base: number; readonly basis: number; readonly seen?: string | null };
/** How a file came to what it is here: the text that was read, and what was kept on top of it since. */
type Chain = { readonly basis: number; readonly kept: string | null };

export type DraftWriter = {
  readonly writing: boolean;
  /** Files that were changed here and in another window at the same time; nothing more of them is kept until a person decides. */
  readonly conflicts: ReadonlySet<string>;
  /** A text was read: what is typed over `version` was typed over it. */
  read(path: string, version: number, text: string | null): void;
  write(path: string, text: string | null, base: number, basis: number): void;
  /** A file that was not there. */
  create(path: string, base: number): void;
  flush(): Promise<void>;
  /** `textVersion` of what this window last read or kept, null for nothing; undefined while it has something newer, or never saw the file. */
  held(path: string): string | null | undefined;
  /** Ends a conflict: keeps the text of this window, drops it, or keeps it as a file of its own, whose path is returned. */
  decide(path: string, take: 'mine' | 'theirs' | 'both'): Promise<string | null>;
};

const versionOf = (text: string | null): string | null => (text === null ? null : textVersion(text));
const isElsewhere = ({ code, details }: ErrorShape): boolean => code === 'CONFLICT' && details['changedElsewhere'] === true;

/** Keeps what is typed: each change goes to Vessel, and with it to the disk, a quarter of a second after the last key. */
export function useDraftWriter(projectId: string): DraftWriter {
  const client = useClient();
  const pending = useRef(new Map<string, Pending>());
  /** Sent, and not answered yet. */
  const sending = useRef(new Set<string>());
  const reads = useRef(new Map<number, string | null>());
  const chains = useRef(new Map<string, Chain>());
  const refused = useRef(new Map<string, Pending>());
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const again = useRef<() => Promise<void>>(() => Promise.resolve());
  const [writing, setWriting] = useState(false);
  const [conflicts, setConflicts] = useState<ReadonlySet<string>>(new Set());

  const keep = useCallback(async (path: string, change: Pending): Promise<void> => {
    const { text, base, basis } = change;
    const chain = chains.current.get(path);
    const seen = 'seen' in change ? change.seen : chain?.basis === basis ? chain.kept : reads.current.get(basis);
    sending.current.add(path);
    try {
      const drafts = await client.call('drafts.put', { projectId, path, text, baseRev: base, ...(seen === undefined ? {} : { seen }) });
      chains.current.set(path, { basis, kept: versionOf(text) });
      sending.current.delete(path);
      useStore.getState().apply({ kind: 'drafts', drafts });
    } catch (error) {
      sending.current.delete(path);
      const shape = toShape(error);
      if (isElsewhere(shape)) {
        refused.current.set(path, pending.current.get(path) ?? change);
        pending.current.delete(path);
        setConflicts(new Set(refused.current.keys()));
        return;
      }
      toastError(error);
      // Refused is refused; what only did not get through is tried again, unless something newer is waiting.
      if (!REFUSALS.has(shape.code) && !pending.current.has(path)) pending.current.set(path, change);
    }
  }, [client, projectId]);

  const flush = useCallback(async (): Promise<void> => {
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = null;
    // One after the other: each must know what the one before it left.
    for (const [path, change] of [...pending.current]) {
      if (sending.current.has(path)) continue;
      pending.current.delete(path);
      await keep(path, change);
    }
    setWriting(pending.current.size > 0);
    if (pending.current.size > 0) timer.current ??= setTimeout(() => void again.current(), sending.current.size > 0 ? PAUSE_MS : RETRY_MS);
  }, [keep]);
  useEffect(() => { again.current = flush; }, [flush]);

  const put = useCallback((path: string, change: Pending): void => {
    if (refused.current.has(path)) { refused.current.set(path, change); return; }
    pending.current.set(path, change);
    setWriting(true);
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = setTimeout(() => void flush(), PAUSE_MS);
  }, [flush]);
  const write = useCallback((path: string, text: string | null, base: number, basis: number): void => put(path, { text, base, basis }), [put]);
  const create = useCallback((path: string, base: number): void => put(path, { text: '', base, basis: 0, seen: null }), [put]);
  const read = useCallback((_path: string, version: number, text: string | null): void => { reads.current.set(version, versionOf(text)); }, []);
  const last = useRef(new Map<string, number>());
  const held = useCallback((path: string): string | null | undefined => {
    if (pending.current.has(path) || sending.current.has(path) || refused.current.has(path)) return undefined;
    const basis = last.current.get(path);
    const chain = chains.current.get(path);
    if (chain !== undefined && (basis === undefined || chain.basis === basis)) return chain.kept;
    return basis === undefined ? undefined : reads.current.get(basis);
  }, []);
  const readAndNote = useCallback((path: string, version: number, text: string | null): void => { read(path, version, text); last.current.set(path, version); }, [read]);

  const decide = useCallback(async (path: string, take: 'mine' | 'theirs' | 'both'): Promise<string | null> => {
    const mine = refused.current.get(path);
    refused.current.delete(path);
    setConflicts(new Set(refused.current.keys()));
    if (mine === undefined || take === 'theirs') return null;
    const target = take === 'mine' ? path : copyName(path, new Date());
    await keep(target, { ...mine, seen: take === 'mine' ? undefined : null });
    return target;
  }, [keep]);

  useEffect(() => {
    // What nobody decided on is not lost with the window: it becomes a file of its own.
    const leave = (): void => {
      void flush();
      for (const [path, { text }] of [...refused.current]) if (text !== null) void decide(path, 'both');
    };
    window.addEventListener('pagehide', leave);
    return () => { window.removeEventListener('pagehide', leave); leave(); };
  }, [flush, decide]);
  return { writing, conflicts, read: readAndNote, write, create, flush, held, decide };
}
