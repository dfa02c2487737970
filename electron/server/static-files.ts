import { open, type FileHandle } from 'node:fs/promises';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { join, normalize, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { contentType } from './content-types.ts';

/** Vite names files in `assets/` after their content: such a name never changes its meaning. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** What the renderer may do: its own files, its own socket, frames of environments and nothing else. */
export const rendererPolicy = (port: number): string => {
  const suffix = port === 80 ? '' : `:${port}`;
  return [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "manifest-src 'self'",
    `connect-src 'self' ws://vessel.localhost${suffix}`, `frame-src http://*.vessel.localhost${suffix} http://vessel.localhost${suffix}/${EDITOR_PAGE}`, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  ].join('; ');
};

const EDITOR_PAGE = 'editor.html';
/** The text editor's frame: Monaco writes styles, so styles may be inline there. It can be framed by the app only, and reaches nothing. */
const EDITOR_POLICY = ["default-src 'none'", "script-src 'self'", "worker-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:", "font-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"].join('; ');

/** Serves the built renderer; any path without an extension is the app itself (it routes by itself). Answers false when there is no such file. */
export async function serveRenderer(request: IncomingMessage, response: ServerResponse, options: { readonly directory: string; readonly port: number }): Promise<boolean> {
  const path = safePath(request.url ?? '/');
  if (path === null) return false;
  const isApp = !/\.[a-z0-9]+$/i.test(path);
  const file = await openFile(join(options.directory, isApp ? 'index.html' : path));
  if (file === null) return false;
  try {
    const { size, mtimeMs } = await file.stat();
    const etag = `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`;
    const headers: OutgoingHttpHeaders = {
      'content-type': isApp ? contentType('index.html') : contentType(path), 'content-length': size, etag,
      'cache-control': path.startsWith('assets/') ? IMMUTABLE : 'no-cache', 'content-security-policy': path === EDITOR_PAGE ? EDITOR_POLICY : rendererPolicy(options.port),
      'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin', 'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
    };
    if (request.headers['if-none-match'] === etag) {
      delete headers['content-length'];
      response.writeHead(304, headers).end();
    } else {
      response.writeHead(200, headers);
      if (request.method === 'HEAD') response.end();
      else await pipeline(file.createReadStream({ autoClose: false }), response);
    }
    return true;
  } finally {
    await file.close();
  }
}

/** The path below the folder, or null when it would leave it. */
function safePath(url: string): string | null {
  let decoded: string;
  try {
    decoded = decodeURIComponent(url.split(/[?#]/, 1)[0] ?? '/');
  } catch {
    return null; // a broken escape names no file
  }
  const path = normalize(decoded).replace(/^[/\\]+/, '');
  return decoded.includes('\0') || path.split(sep).includes('..') ? null : path;
}

async function openFile(path: string): Promise<FileHandle | null> {
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return null;
    throw error;
  }
}
