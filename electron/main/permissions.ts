import type { Session } from 'electron';
import { environmentOf, isAppUrl } from './origins.ts';

/** VS Code copies and pastes, and shows a file full screen; nothing else is asked for by our own pages. */
const ENVIRONMENT = new Set(['clipboard-read', 'clipboard-sanitized-write', 'fullscreen']);
const APP = new Set(['clipboard-sanitized-write', 'notifications', 'fullscreen']);

/** Whether a page at `origin` may have a permission. Everything that is not named is refused. */
export function mayUse(permission: string, origin: string, baseUrl: string): boolean {
  if (isAppUrl(origin, baseUrl)) return APP.has(permission);
  if (environmentOf(origin, baseUrl) !== null) return ENVIRONMENT.has(permission);
  return false;
}

/** Installs the rule on a session: requests, silent checks and devices. */
export function guardSession(session: Session, baseUrl: () => string): void {
  session.setPermissionRequestHandler((_contents, permission, answer, details) => answer(mayUse(permission, details.requestingUrl, baseUrl())));
  session.setPermissionCheckHandler((_contents, permission, origin) => mayUse(permission, origin, baseUrl()));
  session.setDevicePermissionHandler(() => false);
}
