import { useEffect } from 'react';
import type { Route } from '../lib/routes.ts';
import { useClient } from '../state/client-context.ts';
import { navigate } from '../state/navigate.ts';
import { useStore } from '../state/store.ts';
import { attempt } from '../state/actions.ts';

/** A second key of a pair such as G P counts within this time. */
const PAIR_MS = 900;
const PLACES: Readonly<Record<string, Route>> = {
  p: { screen: 'projects', panel: 'none' }, a: { screen: 'activity', projectId: null },
  h: { screen: 'hosts', panel: 'none' }, s: { screen: 'settings' },
};

/** The keys that work anywhere, unless the person is typing or a dialog is open. */
export function useShortcuts(): void {
  const client = useClient();
  useEffect(() => {
    let pairUntil = 0;
    const onKeyDown = (event: KeyboardEvent): void => {
      const { setModal, modal, route } = useStore.getState();
      const key = event.key.toLowerCase();
      if ((event.ctrlKey || event.metaKey) && key === 'k') {
        event.preventDefault();
        setModal(modal?.kind === 'palette' ? null : { kind: 'palette' });
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]') !== null) return;
      const act = (work: () => void): void => { event.preventDefault(); work(); };
      if (Date.now() < pairUntil) {
        const place = PLACES[key];
        pairUntil = 0;
        if (place !== undefined) { act(() => navigate(place)); return; }
      }
      switch (key) {
        case 'g': pairUntil = Date.now() + PAIR_MS; return;
        case '?': act(() => setModal({ kind: 'shortcuts' })); return;
        case 'n': act(() => navigate({ screen: 'projects', panel: 'new' })); return;
        case 'i': act(() => navigate({ screen: 'projects', panel: 'import' })); return;
        case 't': act(() => {
          const theme = document.documentElement.dataset['theme'] === 'dark' ? 'light' : 'dark';
          void attempt(() => client.call('settings.set', { theme }));
        }); return;
        case '/': if (route.screen === 'projects') act(() => document.getElementById('project-search')?.focus()); return;
        case 'escape': if (route.screen === 'console') act(() => navigate({ screen: 'projects', panel: 'none' })); return;
        default: return;
      }
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [client]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
