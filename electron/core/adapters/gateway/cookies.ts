import { sameText, type SessionSecret } from './session-secret.ts';

/**
 * `__Host-` makes the browser refuse the name with a Domain attribute, so no guest page can plant one for a neighbour.
 * Chromium accepts `Secure` over http on `*.localhost` (docs/adr/0020-gateway-access.md).
 */
export const SESSION_COOKIE = '__Host-vessel-session';

const RESERVED = /^(?:__host-)?vessel-/i;
const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A browser that was not used for so long must enter anew: a week's holiday is not the end, a forgotten computer is. */
export const SESSION_IDLE_MS = 7 * DAY_MS;
/** However much it is used, a session ends: what was copied out of a browser is worth nothing after that. */
export const SESSION_LONGEST_MS = 30 * DAY_MS;
/** A cookie in use gets a new value this often: seldom enough that it costs nothing. */
export const SESSION_RENEW_MS = HOUR_MS;

/** When a browser entered, and when its present cookie was made; Unix ms, whole seconds. */
export type Session = { readonly startedMs: number; readonly issuedMs: number };

const encode = (ms: number): string => Math.floor(ms / SECOND_MS).toString(36);
const decode = (text: string): number => Number.parseInt(text, 36) * SECOND_MS;

/** The value that opens `host` from `issuedMs` on: useless at every other host, and after a week without use. */
function sessionValue(secret: SessionSecret, host: string, { startedMs, issuedMs }: Session): string {
  const times = `${encode(startedMs)}.${encode(issuedMs)}`;
  return `${times}.${secret.sign('cookie', `${host}\n${times}`)}`;
}

/**
 * The Set-Cookie for `host`. It ends with the browser. `Priority` is Chromium's: all of `*.vessel.localhost` share one jar of 180 cookies, and a chatty
 * guest page must not push the session out of it by accident.
 */
export const sessionCookie = (secret: SessionSecret, host: string, session: Session): string =>
  `${SESSION_COOKIE}=${sessionValue(secret, host, session)}; Path=/; Secure; HttpOnly; SameSite=Strict; Priority=High`;

/** The session that a Cookie header proves for `host`; null when it proves none, or one that has ended. */
export function readSession(secret: SessionSecret, header: string | undefined, host: string, now: number): Session | null {
  if (header === undefined || !header.includes(SESSION_COOKIE)) return null;
  for (const pair of pairs(header)) {
    if (nameOf(pair) !== SESSION_COOKIE) continue;
    const value = pair.slice(pair.indexOf('=') + 1);
    const parts = /^([0-9a-z]{1,9})\.([0-9a-z]{1,9})\.[\w-]{43}$/.exec(value);
    if (parts?.[1] === undefined || parts[2] === undefined) continue;
    const session = { startedMs: decode(parts[1]), issuedMs: decode(parts[2]) };
    if (sameText(value, sessionValue(secret, host, session)) && isFresh(session, now)) return session;
  }
  return null;
}

const isFresh = ({ startedMs, issuedMs }: Session, now: number): boolean => now - issuedMs < SESSION_IDLE_MS && now - startedMs < SESSION_LONGEST_MS;

/** Whether a browser that showed this session should get a new value. */
export const isDueForRenewal = ({ issuedMs }: Session, now: number): boolean => now - issuedMs >= SESSION_RENEW_MS;

/**
 * What the app's own page keeps in its storage, where no other origin reaches: it brings the cookie back when pages of guests have filled the jar until
 * the browser threw ours away. It ends when the session would.
 */
export function renewalKey(secret: SessionSecret, startedMs: number): string {
  const started = encode(startedMs);
  return `${started}.${secret.sign('renewal', started)}`;
}

/** When the browser entered that shows this key; null when the key is not ours or has ended. */
export function readRenewalKey(secret: SessionSecret, key: string, now: number): number | null {
  const started = /^([0-9a-z]{1,9})\.[\w-]{43}$/.exec(key)?.[1];
  if (started === undefined || !sameText(key, renewalKey(secret, decode(started)))) return null;
  return now - decode(started) < SESSION_LONGEST_MS ? decode(started) : null;
}

/** The Cookie header for the guest: everything but Vessel's own. Undefined when nothing is left. */
export function withoutSession(header: string): string | undefined {
  if (!RESERVED_ANYWHERE.test(header)) return header;
  const kept = pairs(header).filter((pair) => !RESERVED.test(nameOf(pair)));
  return kept.length === 0 ? undefined : kept.join('; ');
}
const RESERVED_ANYWHERE = /vessel-/i;

/**
 * What a guest may set: never a name of ours; never for a whole domain, which would reach its neighbours, so a Domain attribute is dropped and the
 * cookie becomes host-only; and never with a Priority, by which it could outlive ours. Returns null when nothing may be set.
 */
export function guestSetCookie(value: string): string | null {
  const parts = value.split(';');
  const first = parts[0] ?? '';
  if (RESERVED.test(nameOf(first.trim()))) return null;
  return parts.filter((part, index) => index === 0 || !/^\s*(?:domain|priority)\s*(?:=|$)/i.test(part)).join(';');
}

const pairs = (header: string): string[] => header.split(';').map((pair) => pair.trim()).filter((pair) => pair !== '');
const nameOf = (pair: string): string => (pair.includes('=') ? pair.slice(0, pair.indexOf('=')) : pair).trim();
