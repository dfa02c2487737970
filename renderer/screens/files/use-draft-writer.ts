import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient } from '../../state/client-context.ts';
import { toastError, toShape, useStore } from '../../state/store.ts';

/** Keys come faster than this; each pause of a quarter of a second is kept. */
const PAUSE_MS = 250;
const RETRY_MS = 3000;
const REFUSALS: ReadonlySet<string> = new Set(['CONFLICT', 'ILLEGAL_TRANSITION', 'BAD_REQUEST', 'NOT_FOUND']);
type Pending = { readonly text: string | null; readonly base: number };

/** Keeps what is typed: each change goes to Vessel, and with it to the disk, a quarter of a second after the last key. */
export function useDraftWriter(projectId: string): { readonly writing: boolean; write(path: string, text: string | null, base: number): void; flush(): Promise<void> } {
  const client = useClient();
  const pending = useRef(new Map<string, Pending>());
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const again = useRef<() => Promise<void>>(() => Promise.resolve());
  const [writing, setWriting] = useState(false);

  const flush = useCallback(async (): Promise<void> => {
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = null;
    const all = [...pending.current];
    pending.current.clear();
    for (const [path, { text, base }] of all) {
      try {
        const drafts = await client.call('drafts.put', { projectId, path, text, baseRev: base });
        useStore.getState().apply({ kind: 'drafts', drafts });
      } catch (error) {
        toastError(error);
        // Refused is refused; what only did not get through is tried again, unless something newer is waiting.
        if (!REFUSALS.has(toShape(error).code) && !pending.current.has(path)) pending.current.set(path, { text, base });
      }
    }
    setWriting(pending.current.size > 0);
    if (pending.current.size > 0) timer.current ??= setTimeout(() => void again.current(), RETRY_MS);
  }, [client, projectId]);
  useEffect(() => { again.current = flush; }, [flush]);

  const write = useCallback((path: string, text: string | null, base: number): void => {
    pending.current.set(path, { text, base });
    setWriting(true);
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = setTimeout(() => void flush(), PAUSE_MS);
  }, [flush]);

  useEffect(() => {
    const onHide = (): void => void flush();
    window.addEventListener('pagehide', onHide);
    return () => { window.removeEventListener('pagehide', onHide); void flush(); };
  }, [flush]);
  return { writing, write, flush };
}
