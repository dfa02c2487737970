import type { IdeConfig } from '../config.ts';

/** How often a starting IDE is asked; each question costs an emulated guest about a millisecond. */
const POLL_MS = 100;
/** One page may take long while the server still compiles its code. */
const FETCH_TIMEOUT_MS = 60_000;
const REDIRECTS = 3;

/** Fetches a path of the IDE, body and all, as a browser would. Throws when it does not answer below 400. */
async function fetchPath(ide: IdeConfig, path: string): Promise<void> {
  const { get } = await import('node:http');
  const once = (target: string): Promise<string | null> => new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port: ide.port, path: target, agent: false, timeout: FETCH_TIMEOUT_MS, headers: { accept: 'text/html,*/*' } }, (answer) => {
      const status = answer.statusCode ?? 500;
      const { location } = answer.headers;
      answer.resume();
      answer.on('error', reject);
      answer.on('end', () => {
        if (status >= 400) reject(new Error(`${target}: HTTP ${status}`));
        else resolve(status >= 300 && location !== undefined ? location : null);
      });
    });
    request.on('timeout', () => request.destroy(new Error(`${target}: no answer`)));
    request.on('error', reject);
  });
  let next: string | null = path;
  for (let hop = 0; next !== null && hop <= REDIRECTS; hop += 1) {
    const url: URL = new URL(next, `http://127.0.0.1:${ide.port}${path}`);
    next = await once(url.pathname + url.search);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Resolves once the health path answered and every warm path was fetched; `cancelled` ends the wait early (then false). */
export async function waitForIde(ide: IdeConfig, cancelled: () => boolean): Promise<boolean> {
  for (const path of [ide.healthPath, ...ide.warmPaths]) {
    for (;;) {
      if (cancelled()) return false;
      try {
        await fetchPath(ide, path);
        break;
      } catch {
        // Not up yet, which is what this loop is for; a server that never comes is the caller's deadline.
        await pause(POLL_MS);
      }
    }
  }
  return !cancelled();
}
