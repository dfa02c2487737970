import type { WebPreferences } from 'electron';
import { environmentPartition } from '#shared/shell.ts';
import { environmentOf } from './origins.ts';

/** Everything a page could use to reach out of its guest; removed before the values below are set. */
const REMOVED = ['preload', 'preloadURL', 'additionalArguments', 'enableBlinkFeatures', 'disableBlinkFeatures', 'experimentalFeatures', 'session', 'plugins', 'offscreen', 'v8CacheOptions'] as const;

const HARDENED: WebPreferences = {
  nodeIntegration: false,
  nodeIntegrationInSubFrames: false,
  nodeIntegrationInWorker: false,
  contextIsolation: true,
  sandbox: true,
  webSecurity: true,
  allowRunningInsecureContent: false,
  webviewTag: false,
  navigateOnDragDrop: false,
  safeDialogs: true,
};

/**
 * Decides on a `<webview>` that the app's page wants to attach, and hardens it in place.
 *
 * Only an environment of our own gateway is admitted, and only in that environment's own partition, so that two
 * environments never share storage and none shares the app's. Returns why it is refused, or null.
 */
export function admitWebview(webPreferences: WebPreferences & Record<string, unknown>, params: Readonly<Record<string, string | undefined>>, baseUrl: string): string | null {
  const target = environmentOf(params['src'] ?? '', baseUrl);
  if (target === null) return 'its address is no environment of this Vessel';
  const partition = environmentPartition(target.projectId);
  if (params['partition'] !== partition) return 'its partition is not that of its environment';
  for (const key of REMOVED) delete webPreferences[key];
  Object.assign(webPreferences, HARDENED, { partition });
  return null;
}
