import type { Agent, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { sendError } from '../respond.ts';
import { VesselError } from '#shared/errors.ts';
import type { RunningRoute } from '../upstream.ts';
import { createContentStore } from './content.ts';
import { contentTypeOf } from './content-types.ts';
import { fetchFromGuest } from './fetch-from-guest.ts';
import { gateWorkbench, hasGate, isGated, withGate } from './gated-workbench.ts';
import { belongsTo, fileByKey, filledFolder, findFile, isAbsent, manifestId, readManifest, type Manifest, type StaticFile } from './manifest.ts';
import { pageFor, readRecordedPage } from './recorded-page.ts';
import { rewriteWorkbenchPage, type SharedFiles } from './workbench-page.ts';

export type StaticRequest = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly route: RunningRoute;
  /** The pool of the environment, for files that only its guest has. */
  readonly agent: () => Agent;
  /** Who may frame an HTML file among these. */
  readonly framers: readonly string[];
};
export type IdeStatic = {
  /** True when the request was for a static file of the IDE that the desktop has, or nobody has, and has been answered. */
  serve(request: StaticRequest): Promise<boolean>;
  /** How the workbench's page of this environment is changed; `sharedOrigin` null leaves its files where they are. */
  pageRewriter(route: RunningRoute, sharedOrigin: string | null): Promise<(html: string, policy: string) => { readonly html: string; readonly policy: string } | null>;
  /**
   * The workbench's page for an environment of an image whose machine still starts, under the environment's `host`; null when
   * the image has none.
   */
  startingPage(ideStaticDir: string, host: string, sharedOrigin: string | null): Promise<WorkbenchPage | null>;
  /** The same page for an environment that nobody has opened yet: its workbench is loaded, and waits at its gate. Null as well when that workbench has none. */
  aheadPage(ideStaticDir: string, host: string, sharedOrigin: string): Promise<WorkbenchPage | null>;
  /** Answers on the origin that all environments share: `/<manifest id>/<key>`. */
  serveShared(request: IncomingMessage, response: ServerResponse): Promise<void>;
};

type Image = { readonly directory: string; readonly manifest: Manifest; readonly id: string };
type WorkbenchPage = { readonly url: string; readonly html: string; readonly policy: string };
/** `parts` is what is sent instead of `content`. */
type Body = { readonly file: StaticFile; readonly content: Buffer; readonly parts?: ReturnType<typeof gateWorkbench> };

const FOREVER = 'public, max-age=31536000, immutable';

/**
 * The IDE's own files are the same in every environment of an image, weigh 20 MB, and come slowly out of an emulated guest:
 * the desktop answers for them. What they contain is decided by the image's manifest alone (see content.ts). Without one
 * nothing is kept: an environment can only be answered for by itself.
 *
 * They are sent uncompressed: over loopback a browser receives them faster than it could decode them (docs/adr/0021-ide-files-on-the-desktop.md).
 */
export function createIdeStatic({ cache, log }: { readonly cache: string; readonly log: (line: string) => void }): IdeStatic {
  const content = createContentStore(log);
  const images = new Map<string, Promise<Image | null>>();
  const byId = new Map<string, Image>();
  const complained = new Set<string>();
  /** Of workbenches by their hash: whether they have a place for a gate. */
  const gated = new Map<string, boolean>();

  const readImage = async (directory: string): Promise<Image | null> => {
    try {
      const manifest = await readManifest(directory);
      const image = { directory, manifest, id: manifestId(manifest) };
      byId.set(image.id, image);
      return image;
    } catch (error) {
      images.delete(directory); // it may be written later: an image that is being built anew
      if (!complained.has(directory)) log(`gateway: the IDE's files are served by the guest: ${error instanceof Error ? error.message : String(error)}`);
      complained.add(directory);
      return null;
    }
  };
  const imageAt = (directory: string): Promise<Image | null> => {
    const reading = images.get(directory) ?? readImage(directory);
    images.set(directory, reading);
    return reading;
  };
  const imageOf = async (route: RunningRoute): Promise<Image | null> => {
    const image = route.ideStaticDir === null ? null : await imageAt(route.ideStaticDir);
    return image !== null && belongsTo(image.manifest, route.ide) ? image : null;
  };
  /** `/<manifest id>/<key>`; or an address as on an environment's host, which modules loaded from here import by. */
  const findShared = (url: string): { readonly image: Image | null; readonly file: StaticFile | null } => {
    const [, id, key] = /^\/([0-9a-f]{16})\/([^?#%]+)(?:\?|$)/.exec(url) ?? [];
    const named = id === undefined ? undefined : byId.get(id);
    if (named !== undefined && key !== undefined) return { image: named, file: fileByKey(named.manifest, key) };
    for (const image of [...byId.values()].reverse()) {
      const file = findFile(image.manifest, url);
      // Two images may hold the same commit with other content, so this address promises nothing for ever.
      if (file !== null) return { image, file: { ...file, isVersioned: false } };
    }
    return { image: null, file: null };
  };

  const own = ({ directory, manifest }: Image): Parameters<typeof content.read>[1] => ({ directory, filled: filledFolder(cache, manifest), fetch: () => Promise.resolve(null) });
  const workbenchPage: (image: Image, host: string, sharedOrigin: string | null) => Promise<WorkbenchPage | null> = async ({ directory, manifest, id }, host, sharedOrigin) => {
    const recorded = await readRecordedPage(directory);
    if (recorded === null) return null;
    const page = pageFor(recorded, host);
    return { ...page, ...rewriteWorkbenchPage(page.html, page.policy, sharedOrigin === null ? null : { manifest, id, origin: sharedOrigin }) };
  };
  const hasWorkingGate = async (image: Image): Promise<boolean> => {
    const file = fileByKey(image.manifest, Object.keys(image.manifest.files).find(hasGate) ?? '');
    const known = file === null ? false : gated.get(file.sha256);
    if (file === null || known !== undefined) return known === true;
    const workbench = await content.read(file, own(image));
    const works = workbench !== null && gateWorkbench(workbench) !== null;
    if (workbench !== null) gated.set(file.sha256, works);
    return works;
  };

  return {
    async serve({ request, response, route, agent, framers }) {
      const { method, url } = request;
      if (url === undefined || (method !== 'GET' && method !== 'HEAD')) return false;
      const image = await imageOf(route);
      if (image !== null && isAbsent(image.manifest, url)) {
        sendError(response, new VesselError('NOT_FOUND', 'There is no such file'));
        return true;
      }
      const file = image === null ? null : findFile(image.manifest, url);
      if (image === null || file === null) return false;
      const body = await content.read(file, {
        directory: image.directory, filled: filledFolder(cache, image.manifest),
        fetch: (bytes) => fetchFromGuest({ agent: agent(), token: route.token, host: request.headers.host ?? '', path: url, bytes }),
      });
      if (body === null) return false;
      send(request, response, { file, content: body }, { 'content-security-policy': `frame-ancestors ${framers.join(' ')}`, 'cross-origin-resource-policy': 'same-origin' });
      return true;
    },

    async pageRewriter(route, sharedOrigin) {
      const image = await imageOf(route);
      const shared: SharedFiles | null = image === null || sharedOrigin === null ? null : { manifest: image.manifest, id: image.id, origin: sharedOrigin };
      return (html, policy) => rewriteWorkbenchPage(html, policy, shared);
    },

    async startingPage(ideStaticDir, host, sharedOrigin) {
      const image = await imageAt(ideStaticDir);
      return image === null ? null : workbenchPage(image, host, sharedOrigin);
    },

    async aheadPage(ideStaticDir, host, sharedOrigin) {
      const image = await imageAt(ideStaticDir);
      if (image === null || !await hasWorkingGate(image)) return null;
      const page = await workbenchPage(image, host, sharedOrigin);
      const html = page === null ? null : withGate(page.html, page.policy);
      return page === null || html === null ? null : { ...page, html };
    },

    async serveShared(request, response) {
      const { image, file } = findShared(request.url ?? '/');
      // Public files of a public program, but whether and which Vessel runs here is no other site's business.
      const isForeign = request.headers['sec-fetch-site'] === 'cross-site';
      const body = image === null || file === null || isForeign || (request.method !== 'GET' && request.method !== 'HEAD') ? null
        : await content.read(file, own(image));
      if (file === null || body === null) sendError(response, new VesselError('NOT_FOUND', 'There is no such file'));
      // The same answer for every environment (no Vary): only then the browser uses its copy for all of them.
      else send(request, response, { file, content: body, parts: isGated(request.url ?? '') && hasGate(file.key) ? gateWorkbench(body) : null }, { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'same-site', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'timing-allow-origin': '*' });
    },
  };
}

function send(request: IncomingMessage, response: ServerResponse, { file, content, parts = null }: Body, extra: OutgoingHttpHeaders): void {
  const headers: OutgoingHttpHeaders = {
    ...extra, 'content-type': contentTypeOf(file.key), etag: `"${file.sha256}${parts === null ? '' : '-gate'}"`, 'cache-control': file.isVersioned ? FOREVER : 'no-cache', 'x-content-type-options': 'nosniff',
  };
  if (request.headers['if-none-match'] === headers['etag']) {
    response.writeHead(304, headers).end();
    return;
  }
  const sent = parts === null ? [content] : [parts.before, parts.gate, parts.after];
  response.writeHead(200, { ...headers, 'content-length': sent.reduce((sum, part) => sum + part.length, 0) });
  if (request.method !== 'HEAD') for (const part of sent) response.write(part);
  response.end();
}
