import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { guestSetCookie, withoutSession } from './cookies.ts';
import { originOf, environmentHost, APP_HOST, type EnvironmentTarget } from './hosts.ts';
import type { Proof } from './access.ts';

/** RFC 9110 §7.6.1: these belong to one connection and are never passed on. */
const HOP_BY_HOP: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect']);
/**
 * Answers of a guest lose these: the framing rule is ours; Clear-Site-Data would wipe the cookies of the whole site, and with
 * `<id>.vessel.localhost` that is the app's session too.
 */
const NOT_FOR_BROWSERS: ReadonlySet<string> = new Set(['x-frame-options', 'clear-site-data', 'content-security-policy', 'set-cookie']);
/** Where the caller's own Authorization travels while the agent's bearer takes its place; the agent puts it back for the guest's server. */
export const ORIGINAL_AUTHORIZATION = 'x-vessel-authorization';

/** The headers a guest gets: Host and Origin as the browser sent them, no cookie or bearer of Vessel's, the agent's token. */
export function towardsGuest(request: IncomingMessage, target: EnvironmentTarget, token: string, proof: Proof): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = {};
  const named = connectionNamed(request.headers);
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || HOP_BY_HOP.has(name) || named.has(name) || name.startsWith('x-vessel-') || name.startsWith('x-forwarded-')) continue;
    out[name] = value;
  }
  const cookie = request.headers.cookie === undefined ? undefined : withoutSession(request.headers.cookie);
  if (cookie === undefined) delete out['cookie'];
  else out['cookie'] = cookie;
  if (proof !== 'bearer' && request.headers.authorization !== undefined) out[ORIGINAL_AUTHORIZATION] = request.headers.authorization;
  out['authorization'] = `Bearer ${token}`;
  out['x-forwarded-host'] = request.headers.host ?? target.host;
  out['x-forwarded-proto'] = 'http';
  out['x-forwarded-for'] = '127.0.0.1';
  return out;
}

/** The guest's answer as the browser may see it. `gatewayPort` names the pages that may frame it. */
export function towardsBrowser(answer: IncomingMessage, target: EnvironmentTarget, gatewayPort: number): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = {};
  const named = connectionNamed(answer.headers);
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value === undefined || HOP_BY_HOP.has(name) || named.has(name) || NOT_FOR_BROWSERS.has(name) || name.startsWith('x-vessel-')) continue;
    out[name] = value;
  }
  const cookies = (answer.headers['set-cookie'] ?? []).map(guestSetCookie).filter((value) => value !== null);
  if (cookies.length > 0) out['set-cookie'] = cookies;
  out['content-security-policy'] = framePolicy(answer.headers['content-security-policy'], target, gatewayPort);
  return out;
}

/** The guest's own policy without its frame-ancestors, plus ours: the app, and the environment's own pages, may frame it; nobody else. */
export function framePolicy(guest: string | string[] | undefined, target: EnvironmentTarget, gatewayPort: number): string {
  const policies = (Array.isArray(guest) ? guest.join(',') : guest ?? '').split(',')
    .map((policy) => policy.split(';').map((directive) => directive.trim()).filter((directive) => directive !== '' && !/^frame-ancestors(?:\s|$)/i.test(directive)).join('; '))
    .filter((policy) => policy !== '');
  return [...policies, `frame-ancestors ${framers(target, gatewayPort).join(' ')}`].join(', ');
}

export function framers(target: EnvironmentTarget, gatewayPort: number): readonly string[] {
  const app = target.frame ? [originOf(APP_HOST, gatewayPort)] : [];
  const ide = target.kind === 'port' ? [originOf(environmentHost(target.projectId, undefined, target.frame), gatewayPort)] : [];
  return ["'self'", ...app, ...ide];
}

function connectionNamed(headers: IncomingHttpHeaders): ReadonlySet<string> {
  const value = headers.connection;
  if (value === undefined || value === 'keep-alive' || value === 'close') return NONE;
  return new Set(value.toLowerCase().split(',').map((name) => name.trim()));
}
const NONE: ReadonlySet<string> = new Set();
