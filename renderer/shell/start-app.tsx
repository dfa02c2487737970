import '../design/base.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import type { Client } from '#shared/contract.ts';
import { ClientContext } from '../state/client-context.ts';
import { followState } from '../state/follow-state.ts';
import { followPagePrompts } from '../state/page-prompts.ts';
import { toastError, useStore } from '../state/store.ts';
import { applyTheme, rememberedTheme } from '../state/theme.ts';
import { App } from './app.tsx';
import { announceOutcomes } from './announce-outcomes.ts';

/** Mounts the app on a client, whatever stands behind it, and keeps the store fed for as long as the page lives. */
export function startApp(client: Client, retryNow: () => void): void {
  const { apply, setRoute } = useStore.getState();
  applyTheme(rememberedTheme());
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => applyTheme(rememberedTheme()));
  useStore.subscribe((state, before) => {
    if (state.settings !== null && state.settings.theme !== before.settings?.theme) applyTheme(state.settings.theme);
  });
  announceOutcomes();
  setRoute(window.location.hash);
  window.addEventListener('hashchange', () => setRoute(window.location.hash));
  void followState(client, apply, toastError, new AbortController().signal);
  void followPagePrompts(client, new AbortController().signal);

  const root = document.getElementById('root');
  if (root === null) throw new Error('The page has no #root');
  createRoot(root).render(<StrictMode><ClientContext value={client}><App retryNow={retryNow} /></ClientContext></StrictMode>);
}
