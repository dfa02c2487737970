import type { IncomingMessage } from 'node:http';
import { VesselError } from '#shared/errors.ts';
import { hasSession } from './cookies.ts';
import type { Target } from './hosts.ts';
import { sameText, type SessionSecret } from './session-secret.ts';

/** How a caller proved itself. */
export type Proof = 'cookie' | 'bearer';

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * Decides whether a request may go on. A bearer is enough (no browser page can know it). A cookie proves only that this
 * browser has entered, not which page is asking, so with a cookie the page must be the host itself:
 *
 * - writes and WebSockets need an Origin equal to the host's own;
 * - reads that a page of another origin started are refused, unless they are navigations (answers to those are shielded by
 *   frame-ancestors, and the opener cannot read them).
 *
 * Throws UNAUTHENTICATED or FORBIDDEN_ORIGIN.
 */
export function requireAccess(request: IncomingMessage, target: Target, secret: SessionSecret, isUpgrade: boolean): Proof {
  if (hasBearer(request, secret)) {
    // A page cannot know the bearer; an Origin beside it means that a script of a page was given it, which only the app may.
    if (request.headers.origin !== undefined && request.headers.origin !== target.origin) throw foreignOrigin(request);
    return 'bearer';
  }
  if (!hasEntered(request, target, secret)) throw new VesselError('UNAUTHENTICATED');
  const mustMatch = isUpgrade || !SAFE_METHODS.has(request.method ?? 'GET');
  if (mustMatch ? !isOwnPage(request, target) : !mayRead(request, target)) throw foreignOrigin(request);
  return 'cookie';
}

/** Whether this browser (or script) has shown itself before, whichever page is asking now. */
export const hasEntered = (request: IncomingMessage, target: Target, secret: SessionSecret): boolean =>
  hasBearer(request, secret) || (target.kind !== 'loopback' && hasSession(secret, request.headers.cookie, target.host));

function hasBearer(request: IncomingMessage, secret: SessionSecret): boolean {
  const match = /^Bearer ([0-9a-f]+)$/i.exec(request.headers.authorization ?? '');
  return match?.[1] !== undefined && sameText(match[1], secret.bearer);
}

function isOwnPage(request: IncomingMessage, target: Target): boolean {
  const { origin } = request.headers;
  if (origin === target.origin) return true;
  // A form of a guest page with `Referrer-Policy: no-referrer` (Helmet's default) sends `Origin: null`; the browser still tells who asks.
  return origin === 'null' && target.kind === 'port' && request.headers['sec-fetch-site'] === 'same-origin';
}

function mayRead(request: IncomingMessage, target: Target): boolean {
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  // The app's reads (an export, say) are for its own pages only; an environment is entered by links and frames.
  const isNavigation = target.kind !== 'app' && request.headers['sec-fetch-mode'] === 'navigate';
  if (origin !== undefined && origin !== target.origin && !(origin === 'null' && target.kind !== 'app')) return false;
  return site === undefined || site === 'same-origin' || site === 'none' || isNavigation;
}

const foreignOrigin = (request: IncomingMessage): VesselError =>
  new VesselError('FORBIDDEN_ORIGIN', undefined, { details: { origin: request.headers.origin ?? null, site: request.headers['sec-fetch-site'] ?? null } });
