import { useEffect } from 'react';
import { nextToOpen } from '../lib/editor-ahead.ts';
import { loadAhead } from './actions.ts';
import { useClient } from './client-context.ts';
import { useStore } from './store.ts';

/** First the list, its pictures and whatever else a person waits for. */
const CALM_MS = 2_000;
/** Long enough that a pointer on its way across the cards loads nothing. */
const POINTED_MS = 60;
/** A host that was just set up has a page soon. */
const AGAIN_MS = 15_000;

/**
 * Loads VS Code for the project that will probably be opened next, in a frame behind the list. Nineteen megabytes of its code are then read, compiled and run
 * before the click, and wait (docs/adr/0073-the-next-editor-is-loaded.md). Not in Electron, whose views have origins and storage of their own.
 */
export function useEditorAhead(): void {
  const client = useClient();
  const next = useStore((state) => (state.connection.phase === 'online' && window.vessel?.shell !== 'electron' ? nextToOpen(state) : null));
  const pointedAt = useStore((state) => state.expected === next);
  const has = useStore((state) => state.ideFrame?.projectId === next);
  useEffect(() => {
    if (next === null || has) return;
    const ended = new AbortController();
    let timer = setTimeout(load, pointedAt ? POINTED_MS : CALM_MS);
    function load(): void {
      if (document.visibilityState === 'hidden') { timer = setTimeout(load, AGAIN_MS); return; }
      loadAhead(client, next ?? '', ended.signal)
        .catch(() => false) // opening loads it as ever, and says what is wrong
        .then((done) => { if (!done && !ended.signal.aborted) timer = setTimeout(load, AGAIN_MS); }, () => undefined);
    }
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [client, next, pointedAt, has]);
}
