import type { OutgoingHttpHeaders } from 'node:http';

export type WorkbenchPage = { readonly url: string; readonly headers: OutgoingHttpHeaders; readonly body: Buffer };

/**
 * The workbench's page as the last environment of an image answered it. It differs between environments in nothing but their host,
 * so the next one can have it while its machine still starts: the browser then compiles VS Code and clones come up side by side.
 */
export type WorkbenchMemory = {
  remember(image: string, host: string, page: WorkbenchPage): void;
  /** The page for another host of the same image; null when none was seen yet. */
  recall(image: string, host: string): WorkbenchPage | null;
};

/** An image or two are in use at a time; a page has some kilobytes. */
const MOST_PAGES = 8;
/** What belongs to one answer and not to the page. */
const OF_ONE_ANSWER: ReadonlySet<string> = new Set(['set-cookie', 'date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'etag', 'last-modified']);

export function createWorkbenchMemory(): WorkbenchMemory {
  const pages = new Map<string, WorkbenchPage & { readonly host: string }>();
  return {
    remember(image, host, { url, headers, body }) {
      pages.delete(image);
      pages.set(image, { host, url, body, headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_ONE_ANSWER.has(name.toLowerCase()))) });
      const oldest = pages.keys().next();
      if (pages.size > MOST_PAGES && oldest.done !== true) pages.delete(oldest.value);
    },
    recall(image, host) {
      const page = pages.get(image);
      if (page === undefined) return null;
      const moved = (text: string): string => text.replaceAll(page.host, host);
      const headers = Object.fromEntries(Object.entries(page.headers).map(([name, value]) => [name, typeof value === 'string' ? moved(value) : value]));
      return { url: page.url, headers, body: Buffer.from(moved(page.body.toString('utf8'))) };
    },
  };
}
