import { useCallback, useEffect, useState } from 'react';
import type { ErrorShape } from '#shared/errors.ts';
import { toShape } from './store.ts';

export type Loaded<T> =
  | { readonly state: 'loading'; readonly value: T | null }
  | { readonly state: 'ready'; readonly value: T }
  | { readonly state: 'failed'; readonly value: T | null; readonly error: ErrorShape };

/** Asks once on mount and whenever `key` changes or `reload` is called; the last answer stays visible meanwhile. */
export function useCall<T>(ask: (signal: AbortSignal) => Promise<T>, key: string): { readonly loaded: Loaded<T>; readonly reload: () => void } {
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: 'loading', value: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setLoaded((before) => ({ state: 'loading', value: before.value }));
    ask(controller.signal).then(
      (value) => { if (!controller.signal.aborted) setLoaded({ state: 'ready', value }); },
      (error: unknown) => { if (!controller.signal.aborted) setLoaded((before) => ({ state: 'failed', value: before.value, error: toShape(error) })); },
    );
    return () => controller.abort();
    // `ask` is made anew on every render; `key` says when its question has changed.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, round]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  return { loaded, reload };
}
