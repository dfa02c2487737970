import { ProjectIdSchema } from '#shared/ids.ts';

/** What a Host header asks for. `host` is the name without the port, lower case. */
export type Target =
  | { readonly kind: 'app'; readonly host: string; readonly origin: string }
  /** The IDE's static files, the same for all environments: one origin, so that the browser keeps one copy of them and of their compiled code. */
  | { readonly kind: 'assets'; readonly host: string; readonly origin: string }
  /** Plain loopback names: scripts only, with the bearer. */
  | { readonly kind: 'loopback'; readonly host: string; readonly origin: string }
  | { readonly kind: 'ide'; readonly host: string; readonly origin: string; readonly projectId: string; readonly frame: boolean }
  | { readonly kind: 'port'; readonly host: string; readonly origin: string; readonly projectId: string; readonly frame: boolean; readonly guestPort: number };

export type EnvironmentTarget = Extract<Target, { kind: 'ide' | 'port' }>;

export const APP_HOST = 'vessel.localhost';
/** No project can have this name: project ids end in a random suffix. */
export const ASSETS_HOST = 'ide.vessel.localhost';
const FRAME_SUFFIX = `.${APP_HOST}`;
const TOP_SUFFIX = '.localhost';
const HTTP_PORT = 80;
const LAST_PORT = 65_535;

/** `:8080`, or nothing on port 80, as browsers write it. */
export const portSuffix = (port: number): string => port === HTTP_PORT ? '' : `:${port}`;
export const originOf = (host: string, port: number): string => `http://${host}${portSuffix(port)}`;

/** The host name of an environment or of one of its ports. `frame` chooses the name that is same-site with the app. */
export function environmentHost(projectId: string, guestPort: number | undefined, frame: boolean): string {
  return `${guestPort === undefined ? '' : `${guestPort}--`}${projectId}${frame ? FRAME_SUFFIX : TOP_SUFFIX}`;
}

/**
 * Reads a Host header exactly: the name must be one of ours and the port must be the gateway's own, so a name that a
 * foreign DNS server points at this computer (DNS rebinding) is nothing here. Returns null for anything else.
 */
export function parseHost(header: string | undefined, port: number): Target | null {
  if (header === undefined) return null;
  const match = /^([a-z0-9.-]+|\[::1\])(?::(\d{1,5}))?$/i.exec(header);
  if (match === null || match[1] === undefined) return null;
  if ((match[2] === undefined ? HTTP_PORT : Number(match[2])) !== port) return null;
  const host = match[1].toLowerCase();
  const origin = originOf(host, port);
  if (host === APP_HOST) return { kind: 'app', host, origin };
  if (host === ASSETS_HOST) return { kind: 'assets', host, origin };
  if (host === 'localhost' || host === '127.0.0.1' || host === '[::1]') return { kind: 'loopback', host, origin };
  const frame = host.endsWith(FRAME_SUFFIX);
  if (!frame && !host.endsWith(TOP_SUFFIX)) return null;
  const label = host.slice(0, -(frame ? FRAME_SUFFIX : TOP_SUFFIX).length);
  const parts = /^(?:([1-9]\d{0,4})--)?([a-z0-9-]+)$/.exec(label);
  const projectId = parts?.[2];
  if (projectId === undefined || !ProjectIdSchema.safeParse(projectId).success) return null;
  if (parts?.[1] === undefined) return { kind: 'ide', host, origin, projectId, frame };
  const guestPort = Number(parts[1]);
  return guestPort > LAST_PORT ? null : { kind: 'port', host, origin, projectId, frame, guestPort };
}
