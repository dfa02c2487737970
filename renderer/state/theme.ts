import type { Settings } from '#shared/contract.ts';

const KEY = 'vessel-theme';
type Theme = Settings['theme'];

/** Sets the page's theme and remembers it, so that the next start paints it at once. Follows the system when asked to. */
export function applyTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  const dark = theme === 'dark' || (theme === 'system' && window.matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
}

/** The theme of the last visit, before Vessel has answered. */
export function rememberedTheme(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}
