import { createHmac, randomBytes } from 'node:crypto';
import { sameText } from './session-secret.ts';

/** Long enough to walk from a terminal to a browser, short enough that an address in a log or a history is dead soon. */
export const TICKET_LIFETIME_MS = 10 * 60_000;
/**
 * A ticket works once. A browser that navigates a frame twice in a row (a reload before the first answer arrived) sends it
 * twice, so the second use is tolerated for this long.
 */
export const TICKET_GRACE_MS = 5_000;
const KEY_BYTES = 32;

export type Tickets = {
  /** A signed ticket for exactly this host name. */
  issue(host: string): string;
  /** True once per ticket, for the host it was made for, before it expires. */
  redeem(ticket: string, host: string): boolean;
};

/**
 * `<expires>.<nonce>.<signature>`; used tickets are remembered until they would have expired anyway. The key lives and dies with the process: a server
 * that starts anew has forgotten what was used, so no ticket of the old one works.
 */
export function createTickets(now: () => number = Date.now): Tickets {
  const key = randomBytes(KEY_BYTES);
  const used = new Map<string, { readonly firstUse: number; readonly expires: number }>();
  const signature = (host: string, expires: string, nonce: string): string => createHmac('sha256', key).update(`${host}\n${expires}\n${nonce}`).digest('base64url');
  const forgetExpired = (): void => {
    for (const [nonce, entry] of used) if (entry.expires < now()) used.delete(nonce);
  };
  return {
    issue(host) {
      const expires = String(now() + TICKET_LIFETIME_MS);
      const nonce = randomBytes(12).toString('base64url');
      return `${expires}.${nonce}.${signature(host, expires, nonce)}`;
    },
    redeem(ticket, host) {
      const [expires, nonce, given, ...rest] = ticket.split('.');
      if (expires === undefined || nonce === undefined || given === undefined || rest.length > 0) return false;
      if (!sameText(given, signature(host, expires, nonce))) return false;
      if (Number(expires) < now()) return false;
      forgetExpired();
      const before = used.get(nonce);
      if (before !== undefined) return now() - before.firstUse <= TICKET_GRACE_MS;
      used.set(nonce, { firstUse: now(), expires: Number(expires) });
      return true;
    },
  };
}
