import { GATE_QUERY, hasGate } from './gated-workbench.ts';
import type { Manifest } from './manifest.ts';

/** What the page must hold to be VS Code's workbench and not any other page of the guest. */
const MARK = 'id="vscode-workbench-web-configuration"';
/** The big files of a first paint: style, English texts, the workbench itself. */
const SHARED_FILE = /(<(?:link rel="stylesheet" href|script type="module" src)=")([^"]+)"/g;
/** code-server's service worker only makes the page installable; its start costs time in each new origin. */
const SERVICE_WORKER = /&quot;serviceWorker&quot;:\{[^{}]*\},/;
const WIDENED = /^(?:script-src|style-src|font-src|img-src)$/;

export type SharedFiles = { readonly manifest: Manifest; readonly origin: string; readonly id: string };

/**
 * Lets the workbench's page load its big files from the one origin that all environments share, so that the browser fetches
 * and compiles 20 MB of JavaScript once and not once per environment. Everything else (workers, extension host, webviews)
 * stays on the environment's own origin. Null when the page is not the workbench or names no file of the manifest.
 */
export function rewriteWorkbenchPage(html: string, policy: string, shared: SharedFiles | null): { readonly html: string; readonly policy: string } | null {
  if (!html.includes(MARK)) return null;
  let moved = 0;
  const withFiles = shared === null ? html : html.replace(SHARED_FILE, (whole, start: string, href: string) => {
    const key = keyOf(shared.manifest, href);
    if (key === null) return whole;
    moved += 1;
    return `${start.replace('<link ', '<link crossorigin ').replace('<script ', '<script crossorigin ')}${shared.origin}/${shared.id}/${key}${hasGate(key) ? GATE_QUERY : ''}"`;
  });
  const page = withFiles.replace(SERVICE_WORKER, '');
  return { html: page, policy: moved === 0 || shared === null ? policy : widen(policy, shared.origin) };
}

function keyOf(manifest: Manifest, href: string): string | null {
  const path = href.startsWith('/') ? href : `/${href.replace(/^\.\//, '')}`;
  const prefix = manifest.prefixes.find(({ urlPrefix }) => path.startsWith(urlPrefix));
  const key = prefix === undefined ? null : prefix.dir + path.slice(prefix.urlPrefix.length);
  return key !== null && Object.hasOwn(manifest.files, key) ? key : null;
}

const widen = (policy: string, origin: string): string => policy.split(';').map((directive) => directive.trim()).filter((directive) => directive !== '')
  .map((directive) => WIDENED.test(directive.split(/\s/, 1)[0] ?? '') ? `${directive} ${origin}` : directive).join('; ');
