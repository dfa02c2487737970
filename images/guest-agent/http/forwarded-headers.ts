/** Where the gateway puts the caller's own Authorization while the agent's bearer takes its place; it is put back for the guest's server. */
const ORIGINAL_AUTHORIZATION = 'x-vessel-authorization';

/** Names of the hop between two machines, never passed on (RFC 9110, 7.6.1), and the bearer, which is ours alone. */
const NOT_FORWARDED: ReadonlySet<string> = new Set(['authorization', 'connection', 'keep-alive', 'proxy-authorization', 'proxy-authenticate', 'proxy-connection', 'te', 'upgrade']);
/** An upgrade is passed on with its own `connection` and `upgrade`, all but the bearer. */
const NOT_FORWARDED_UPGRADE: ReadonlySet<string> = new Set(['authorization']);

/** Raw headers (name, value, name, …) without `dropped`, and with the caller's own Authorization back in its place. */
function without(raw: readonly string[], dropped: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const lower = name.toLowerCase();
    if (lower === ORIGINAL_AUTHORIZATION) kept.push('Authorization', raw[index + 1] ?? '');
    else if (!dropped.has(lower)) kept.push(name, raw[index + 1] ?? '');
  }
  return kept;
}

export const requestHeaders = (raw: readonly string[]): string[] => without(raw, NOT_FORWARDED);
export const upgradeHeaders = (raw: readonly string[]): string[] => without(raw, NOT_FORWARDED_UPGRADE);

const NAME = /^[!#$%&'*+.^`|~\w-]+$/;
/** What a header must not hold; a server that sends it is understood by browsers, and so it is here. */
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/g;

/** A status text or header value without what would end its line. */
export const cleanText = (text: string): string => text.replace(CONTROL, ' ');

/**
 * A server's answer as strict readers take it: one framing, no control characters, each name a name. `secureHost` is set when the server speaks TLS: its
 * own addresses lead back over the plain door that the browser came by.
 */
export function answerHeaders(raw: readonly string[], secureHost: string | null): string[] {
  const kept: string[] = [];
  const names = new Set(raw.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()));
  let hasLength = false;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? '';
    const lower = name.toLowerCase();
    if (NOT_FORWARDED.has(lower) || !NAME.test(name)) continue;
    if (lower === 'content-length') {
      if (hasLength || names.has('transfer-encoding')) continue;
      hasLength = true;
    }
    const value = cleanText(raw[index + 1] ?? '');
    const own = secureHost === null || lower !== 'location' ? '' : `https://${secureHost}`;
    kept.push(name, own !== '' && value.toLowerCase().startsWith(own) ? `http${value.slice('https'.length)}` : value);
  }
  return kept;
}
