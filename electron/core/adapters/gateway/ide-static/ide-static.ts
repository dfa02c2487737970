import type { Agent, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { RunningRoute } from '../upstream.ts';
import { createContentStore } from './content.ts';
import { contentTypeOf } from './content-types.ts';
import { fetchFromGuest } from './fetch-from-guest.ts';
import { belongsTo, findFile, readManifest, type Manifest } from './manifest.ts';

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
  /** True when the request was for a static file of the IDE that the desktop has, and has been answered. */
  serve(request: StaticRequest): Promise<boolean>;
};

const FOREVER = 'public, max-age=31536000, immutable';

/**
 * The IDE's own files are the same in every environment of an image, weigh 20 MB, and come slowly out of an emulated guest:
 * the desktop answers for them. What they contain is decided by the image's manifest alone (see content.ts). Without one
 * nothing is kept: an environment can only be answered for by itself.
 *
 * They are sent uncompressed: over loopback a browser receives them faster than it could decode them (docs/adr, measured).
 */
export function createIdeStatic({ cache, log }: { readonly cache: string; readonly log: (line: string) => void }): IdeStatic {
  const content = createContentStore(log);
  const manifests = new Map<string, Promise<Manifest | null>>();
  const complained = new Set<string>();

  const manifestOf = (directory: string): Promise<Manifest | null> => {
    const known = manifests.get(directory);
    if (known !== undefined) return known;
    const reading = readManifest(directory).catch((error: unknown) => {
      manifests.delete(directory); // it may be written later: an image that is being built anew
      if (!complained.has(directory)) log(`gateway: the IDE's files are served by the guest: ${error instanceof Error ? error.message : String(error)}`);
      complained.add(directory);
      return null;
    });
    manifests.set(directory, reading);
    return reading;
  };

  return {
    async serve({ request, response, route, agent, framers }) {
      const { method, url } = request;
      if (route.ideStaticDir === null || url === undefined || (method !== 'GET' && method !== 'HEAD')) return false;
      const manifest = await manifestOf(route.ideStaticDir);
      if (manifest === null || !belongsTo(manifest, route.ide)) return false;
      const file = findFile(manifest, url);
      if (file === null) return false;
      const body = await content.read(file, {
        directory: route.ideStaticDir,
        filled: join(cache, 'ide', `${manifest.ide}-${manifest.version}-${manifest.commit ?? 'none'}`),
        fetch: (bytes) => fetchFromGuest({ agent: agent(), token: route.token, host: request.headers.host ?? '', path: url, bytes }),
      });
      if (body === null) return false;
      const headers: OutgoingHttpHeaders = {
        'content-type': contentTypeOf(file.key), etag: `"${file.sha256}"`, 'cache-control': file.isVersioned ? FOREVER : 'no-cache',
        'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin', 'content-security-policy': `frame-ancestors ${framers.join(' ')}`,
      };
      if (request.headers['if-none-match'] === headers.etag) {
        response.writeHead(304, headers).end();
        return true;
      }
      response.writeHead(200, { ...headers, 'content-length': body.length });
      response.end(method === 'HEAD' ? undefined : body);
      return true;
    },
  };
}
