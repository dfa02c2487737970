import { sameText, type SessionSecret } from './session-secret.ts';

/**
 * `__Host-` makes the browser refuse the name with a Domain attribute, so no guest page can plant one for a neighbour.
 * Chromium accepts `Secure` over http on `*.localhost` (docs/adr/0020-gateway-access.md).
 */
export const SESSION_COOKIE = '__Host-vessel-session';

const RESERVED = /^(?:__host-)?vessel-/i;

/** The only value that opens `host`: useless at every other host. */
export const sessionValue = (secret: SessionSecret, host: string): string => secret.sign('cookie', host);

export const sessionCookie = (secret: SessionSecret, host: string): string =>
  `${SESSION_COOKIE}=${sessionValue(secret, host)}; Path=/; Secure; HttpOnly; SameSite=Strict`;

export function hasSession(secret: SessionSecret, header: string | undefined, host: string): boolean {
  if (header === undefined || !header.includes(SESSION_COOKIE)) return false;
  const expected = sessionValue(secret, host);
  return pairs(header).some((pair) => nameOf(pair) === SESSION_COOKIE && sameText(pair.slice(pair.indexOf('=') + 1), expected));
}

/** The Cookie header for the guest: everything but Vessel's own. Undefined when nothing is left. */
export function withoutSession(header: string): string | undefined {
  if (!RESERVED_ANYWHERE.test(header)) return header;
  const kept = pairs(header).filter((pair) => !RESERVED.test(nameOf(pair)));
  return kept.length === 0 ? undefined : kept.join('; ');
}
const RESERVED_ANYWHERE = /vessel-/i;

/**
 * What a guest may set: never a name of ours; and never for a whole domain, which would reach its neighbours, so a Domain
 * attribute is dropped and the cookie becomes host-only. Returns null when nothing may be set.
 */
export function guestSetCookie(value: string): string | null {
  const parts = value.split(';');
  const first = parts[0] ?? '';
  if (RESERVED.test(nameOf(first.trim()))) return null;
  return parts.filter((part, index) => index === 0 || !/^\s*domain\s*(?:=|$)/i.test(part)).join(';');
}

const pairs = (header: string): string[] => header.split(';').map((pair) => pair.trim()).filter((pair) => pair !== '');
const nameOf = (pair: string): string => (pair.includes('=') ? pair.slice(0, pair.indexOf('=')) : pair).trim();
