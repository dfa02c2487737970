import { createHash } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { VesselError } from '#shared/errors.ts';
import { RENEWAL_PATH, RENEWAL_STORAGE_NAME } from '#shared/renewal.ts';
import type { Access } from './access.ts';
import { readRenewalKey, renewalKey, sessionCookie } from './cookies.ts';
import { environmentHost, originOf, type Target } from './hosts.ts';
import { escapeHtml, pageHeaders, renderPage } from './page-html.ts';
import { BAD_TICKET_PAGE } from './pages.ts';
import { sendBody } from './respond.ts';
import type { SessionSecret } from './session-secret.ts';
import type { Tickets } from './tickets.ts';

const ENTER_PATH = '/__vessel/enter';
const MAX_KEY_BYTES = 256;
/** A browser that keeps no cookie at all would reload for ever. */
const RENEW_AGAIN_MS = 10_000;
/** A link inside the IDE (its Ports view) to a port of the same environment: `/__vessel/go/<port>/<path>`. */
const GO_PATTERN = /^\/__vessel\/go\/([1-9]\d{0,4})(\/[^?]*)?(\?.*)?$/;

export type EnterParts = { readonly secret: SessionSecret; readonly tickets: Tickets; readonly access: Access; readonly framers: readonly string[]; readonly now: () => number };

/** An address that lets the browser that opens it in, once. `path` is where it lands. */
export function enterUrl(tickets: Tickets, host: string, port: number, path: string): string {
  const to = path === '/' ? '' : `&to=${encodeURIComponent(path)}`;
  return `${originOf(host, port)}${ENTER_PATH}?ticket=${tickets.issue(host)}${to}`;
}

export const isEnter = (url: string): boolean => url.startsWith(`${ENTER_PATH}?`) || url === ENTER_PATH;
export const isRenew = (url: string): boolean => url === RENEWAL_PATH;

/**
 * Trades a ticket for the cookie of this host and moves on to the clean address. A browser that has the cookie needs no ticket, but without one only the
 * person or the host's own page chooses where it lands: another page could choose an address that makes the editor do something.
 */
export function enter(request: IncomingMessage, response: ServerResponse, target: Target, { secret, tickets, access, framers, now }: EnterParts): void {
  const query = new URLSearchParams((request.url ?? '').slice(ENTER_PATH.length + 1));
  const site = request.headers['sec-fetch-site'];
  const isByPerson = site === undefined || site === 'none' || site === 'same-origin';
  const session = access.sessionOf(request, target);
  // Used up in any case: an address that stays in a history must not let another browser in.
  const isRedeemed = target.kind !== 'loopback' && tickets.redeem(query.get('ticket') ?? '', target.host);
  if (!isRedeemed && session === null) {
    sendBody(response, 401, pageHeaders(framers), renderPage(BAD_TICKET_PAGE));
    return;
  }
  if (!isRedeemed && !isByPerson) throw new VesselError('FORBIDDEN_ORIGIN');
  const destination = localPath(query.get('to'));
  const started = isRedeemed ? now() : session?.startedMs ?? now();
  const headers: OutgoingHttpHeaders = { 'set-cookie': sessionCookie(secret, target.host, { startedMs: started, issuedMs: now() }), 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };
  if (isByPerson) {
    sendBody(response, 302, { ...headers, location: destination }, '');
  } else if (site === 'same-site' && request.headers['sec-fetch-dest'] === 'iframe') {
    // A frame of the app: it gets there without another page in between.
    access.pass(target.host, new URL(destination, target.origin).href.slice(target.origin.length));
    sendBody(response, 302, { ...headers, location: destination }, '');
  } else {
    // A redirect would still count as started by the other page, at each reload too, and a Strict cookie would stay at home: this page starts anew.
    const refresh = `<!doctype html><meta http-equiv="refresh" content="0;url=${escapeHtml(destination)}"><title>Vessel</title>`;
    sendBody(response, 200, { ...pageHeaders(framers), ...headers }, refresh);
  }
}

/** A page of the app without a cookie that finds the key in its storage gets its cookie back; without the key it shows `page`, what to do. */
export function sendRenewal(response: ServerResponse, page: string): void {
  const name = JSON.stringify(RENEWAL_STORAGE_NAME);
  const script = `const key=localStorage.getItem(${name});
if(key&&Date.now()-Number(sessionStorage.getItem(${name}))>${RENEW_AGAIN_MS})fetch(${JSON.stringify(RENEWAL_PATH)},{method:'POST',body:key}).then(({ok})=>{
if(ok){sessionStorage.setItem(${name},String(Date.now()));location.reload()}else localStorage.removeItem(${name})})`;
  const headers = pageHeaders([]);
  const policy = `${String(headers['content-security-policy'])}; connect-src 'self'; script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`;
  sendBody(response, 401, { ...headers, 'content-security-policy': policy }, `${page}<script>${script}</script>`);
}

/**
 * `GET` gives the app's own page its key, `POST` with the key sets the cookie again. Throws FORBIDDEN_ORIGIN for any other page, UNAUTHENTICATED for a key
 * that is not ours or has ended.
 */
export async function renew(request: IncomingMessage, response: ServerResponse, target: Target, { secret, access, now }: Pick<EnterParts, 'secret' | 'access' | 'now'>): Promise<void> {
  if (target.kind !== 'app') throw new VesselError('FORBIDDEN_ORIGIN');
  if (request.method === 'GET') {
    access.require(request, target, false);
    const session = access.sessionOf(request, target);
    if (session === null) throw new VesselError('UNAUTHENTICATED');
    sendBody(response, 200, { 'content-type': 'text/plain', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' }, renewalKey(secret, session.startedMs));
    return;
  }
  if (request.method !== 'POST' || request.headers.origin !== target.origin) throw new VesselError('FORBIDDEN_ORIGIN');
  const startedMs = readRenewalKey(secret, await readKey(request), now());
  if (startedMs === null) throw new VesselError('UNAUTHENTICATED');
  sendBody(response, 204, { 'set-cookie': sessionCookie(secret, target.host, { startedMs, issuedMs: now() }), 'cache-control': 'no-store' }, '');
}

async function readKey(request: IncomingMessage): Promise<string> {
  let key = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    key += chunk.toString('latin1');
    if (key.length > MAX_KEY_BYTES) throw new VesselError('UNAUTHENTICATED');
  }
  return key;
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
