import { ProjectIdSchema } from '#shared/ids.ts';

/** An address of an environment: its IDE, or one of its ports. */
export type EnvironmentAddress = { readonly projectId: string; readonly guestPort: number | null };

function parse(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

/** True when the address belongs to the app's own origin; `baseUrl` is what the running server says of itself. */
export function isAppUrl(text: string, baseUrl: string): boolean {
  return parse(text)?.origin === new URL(baseUrl).origin;
}

const HOST = /^(?:(\d{1,5})--)?([a-z0-9-]+)\.localhost$/;

/**
 * Which environment of our gateway an address belongs to; null for everything else, also for an environment's address on
 * another port or scheme. `vessel.localhost` is the app itself and never an environment.
 */
export function environmentOf(text: string, baseUrl: string): EnvironmentAddress | null {
  const url = parse(text);
  const base = new URL(baseUrl);
  if (url === null || url.protocol !== base.protocol || url.port !== base.port || url.hostname === base.hostname) return null;
  if (url.username !== '' || url.password !== '') return null;
  const [, port, id] = HOST.exec(url.hostname) ?? [];
  if (id === undefined || !ProjectIdSchema.safeParse(id).success) return null;
  const guestPort = port === undefined ? null : Number(port);
  return guestPort !== null && (guestPort < 1 || guestPort > 65535) ? null : { projectId: id, guestPort };
}

/** Addresses that may be handed to the system's browser or mail program. */
export function isExternalUrl(text: string): boolean {
  const protocol = parse(text)?.protocol;
  return protocol === 'https:' || protocol === 'http:' || protocol === 'mailto:';
}
