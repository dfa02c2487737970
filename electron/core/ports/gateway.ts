import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** What the gateway must know of one environment to route to it. */
export type Route =
  | { readonly kind: 'running'; readonly token: string; dial(): Promise<Duplex>; readonly ide: { readonly name: string; readonly version: string; readonly commit: string | null }; readonly ideStaticDir: string | null }
  | { readonly kind: 'starting'; readonly operationId: string | null; /** Of the image it will most likely run; null when unknown. */ readonly ideStaticDir: string | null }
  /** It runs, but the line to its host is not up; `waits` is false when only a person can bring it back. */
  | { readonly kind: 'unreachable'; readonly name: string; readonly hostName: string; readonly waits: boolean }
  /** It is being saved and ended. */
  | { readonly kind: 'stopping'; readonly name: string }
  | { readonly kind: 'not-running'; readonly name: string; /** Of the image it would run; null when unknown. */ readonly ideStaticDir: string | null }
  | { readonly kind: 'unknown' };

/** Answered by the environment service from memory: asked on every request, so it must not block. */
export type RouteTable = {
  resolve(projectId: string): Route;
  /** Somebody waits for an environment that is unreachable: a good moment to try again. */
  noteWaiting(projectId: string): void;
  /** The gateway saw IDE or port traffic for this environment (for the idle clock). */
  noteActivity(projectId: string, kind: 'ide' | 'http'): void;
};

/** The app door that answers on `vessel.localhost` (API, socket, renderer files). */
export type AppDoor = {
  request(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
};

/** One loopback listener for the app and every environment; the Host header decides. */
export type Gateway = {
  readonly port: number;
  /** The port of the last Vessel of this home, when another program has it now; else null. */
  readonly movedFrom: number | null;
  /** `http://vessel.localhost[:port]` */
  readonly baseUrl: string;
  /** What scripts send as `Authorization: Bearer`; goes only into 0600 files, never into a log. */
  readonly bearer: string;
  /** Proves that the caller may use the app (cookie `vessel-session` or `Authorization: Bearer`), with exact Origin and Host. Throws UNAUTHENTICATED or FORBIDDEN_ORIGIN. */
  authenticate(request: IncomingMessage): void;
  /** The address a person opens first: carries a one-time ticket that becomes a cookie. */
  appUrl(): string;
  /**
   * An address into an environment (or one of its ports) with a short-lived ticket; `frame` → `<id>.vessel.localhost`. `gate` lets the workbench go on that
   * `aheadFor` loaded; `opened` is false when it cannot, and the address is needed.
   */
  urlFor(target: { readonly projectId: string; readonly port?: number | undefined; readonly frame: boolean; readonly gate?: string | undefined }): { readonly url: string; readonly origin: string; readonly opened: boolean };
  /** The address of a workbench that loads before its project is opened, and then waits at its gate; null where that cannot be (docs/adr/0073-the-next-editor-is-loaded.md). */
  aheadFor(projectId: string): Promise<{ readonly url: string; readonly gate: string } | null>;
  mount(door: AppDoor): void;
  close(): Promise<void>;
};
