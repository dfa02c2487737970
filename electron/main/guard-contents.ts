import { shell, type WebContents } from 'electron';
import { environmentOf, isAppUrl, isExternalUrl } from './origins.ts';
import { admitWebview } from './webview-policy.ts';

/** Opens an address in the system's own program; anything but web and mail is dropped. */
function openOutside(url: string, log: (line: string) => void): void {
  if (!isExternalUrl(url)) {
    log(`refused to open ${new URL(url).protocol}`);
    return;
  }
  shell.openExternal(url).catch((error: unknown) => log(`could not open the system's browser: ${String(error)}`));
}

/**
 * Rules for every page that this process shows: the app's page stays on the app's origin, a guest page on its own
 * environment, neither opens windows; links elsewhere go to the system's browser.
 */
export function guardContents(contents: WebContents, baseUrl: () => string, log: (line: string) => void): void {
  const isGuest = contents.getType() === 'webview';
  // A guest may only move within the environment it was attached for.
  const home = (): string | null => environmentOf(contents.getURL(), baseUrl())?.projectId ?? null;

  const mayNavigate = (url: string): boolean => {
    if (!isGuest) return isAppUrl(url, baseUrl());
    const target = environmentOf(url, baseUrl());
    return target !== null && (home() === null || home() === target.projectId);
  };
  const onNavigate = (event: { preventDefault(): void; readonly url: string }): void => {
    if (mayNavigate(event.url)) return;
    event.preventDefault();
    if (URL.canParse(event.url) && !isAppUrl(event.url, baseUrl())) openOutside(event.url, log);
  };
  contents.on('will-navigate', onNavigate);
  contents.on('will-redirect', (event) => {
    // Redirects inside frames are the guest's own business; the page itself must stay where it belongs.
    if (event.isMainFrame && !mayNavigate(event.url)) event.preventDefault();
  });
  contents.setWindowOpenHandler(({ url }) => {
    if (URL.canParse(url)) openOutside(url, log);
    return { action: 'deny' };
  });
  contents.on('will-attach-webview', (event, webPreferences, params) => {
    const refusal = isGuest ? 'a guest page may not hold another' : admitWebview(webPreferences as Record<string, unknown>, params, baseUrl());
    if (refusal === null) return;
    event.preventDefault();
    log(`refused a webview: ${refusal}`);
  });
}
