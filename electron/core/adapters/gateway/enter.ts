import type { IncomingMessage, ServerResponse } from 'node:http';
import { hasSession, sessionCookie } from './cookies.ts';
import { environmentHost, originOf, type Target } from './hosts.ts';
import { escapeHtml, pageHeaders, renderPage } from './page-html.ts';
import { BAD_TICKET_PAGE } from './pages.ts';
import { sendBody } from './respond.ts';
import type { SessionSecret } from './session-secret.ts';
import type { Tickets } from './tickets.ts';

const ENTER_PATH = '/__vessel/enter';
/** A link inside the IDE (its Ports view) to a port of the same environment: `/__vessel/go/<port>/<path>`. */
const GO_PATTERN = /^\/__vessel\/go\/([1-9]\d{0,4})(\/[^?]*)?(\?.*)?$/;

/** An address that lets the browser that opens it in, once. `path` is where it lands. */
export function enterUrl(tickets: Tickets, host: string, port: number, path: string): string {
  const to = path === '/' ? '' : `&to=${encodeURIComponent(path)}`;
  return `${originOf(host, port)}${ENTER_PATH}?ticket=${tickets.issue(host)}${to}`;
}

export const isEnter = (url: string): boolean => url.startsWith(`${ENTER_PATH}?`) || url === ENTER_PATH;

/** Trades a ticket for the cookie of this host and moves on to the clean address. */
export function enter(request: IncomingMessage, response: ServerResponse, target: Target, parts: { readonly secret: SessionSecret; readonly tickets: Tickets; readonly framers: readonly string[] }): void {
  const query = new URLSearchParams((request.url ?? '').slice(ENTER_PATH.length + 1));
  const destination = localPath(query.get('to'));
  const hasEntered = hasSession(parts.secret, request.headers.cookie, target.host);
  if (target.kind === 'loopback' || (!hasEntered && !parts.tickets.redeem(query.get('ticket') ?? '', target.host))) {
    sendBody(response, 401, pageHeaders(parts.framers), renderPage(BAD_TICKET_PAGE));
    return;
  }
  const headers = { 'set-cookie': sessionCookie(parts.secret, target.host), 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };
  if (request.headers['sec-fetch-site'] === 'cross-site') {
    // A redirect would still count as started by the other site, and a Strict cookie would stay at home: this page starts anew.
    const refresh = `<!doctype html><meta http-equiv="refresh" content="0;url=${escapeHtml(destination)}"><title>Vessel</title>`;
    sendBody(response, 200, { ...pageHeaders(parts.framers), ...headers }, refresh);
    return;
  }
  sendBody(response, 302, { ...headers, location: destination }, '');
}

/** Where a `/__vessel/go/…` link of an environment leads, with a ticket; null when it is none. The caller has checked access. */
export function goTo(url: string, target: Target, tickets: Tickets, port: number): string | null {
  if (target.kind !== 'ide') return null;
  const match = GO_PATTERN.exec(url);
  if (match === null || Number(match[1]) > 65_535) return null;
  return enterUrl(tickets, environmentHost(target.projectId, Number(match[1]), target.frame), port, localPath(`${match[2] ?? '/'}${match[3] ?? ''}`));
}

/** A path on the same host. `//host`, `/\host` and control characters would lead elsewhere. */
function localPath(value: string | null): string {
  if (value === null || !/^\/(?![/\\])[\x21-\x7e]*$/.test(value) || value.includes('\\')) return '/';
  return value;
}
