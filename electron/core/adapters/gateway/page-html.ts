import type { OutgoingHttpHeaders } from 'node:http';
import { createHash } from 'node:crypto';

export type Page = {
  readonly title: string;
  /** Plain text paragraphs; `code` spans are written with backticks. */
  readonly text: readonly string[];
  readonly link?: { readonly label: string; readonly href: string };
  /** Seconds until the page asks again; shows a progress line. */
  readonly retrySeconds?: number;
};

const STYLE = `:root{color-scheme:light dark;--bg:#fafafa;--fg:#18181b;--dim:#52525b;--line:#e4e4e7;--card:#fff;--accent:#2563eb;--on:#fff}
@media (prefers-color-scheme:dark){:root{--bg:#0c0c0e;--fg:#f4f4f5;--dim:#a1a1aa;--line:#27272a;--card:#161618;--accent:#60a5fa;--on:#0c0c0e}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
main{width:min(30rem,calc(100vw - 2rem));padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:14px}
h1{margin:0 0 .75rem;font-size:1.25rem}p{margin:0 0 .75rem;color:var(--dim)}code{padding:.1em .35em;border-radius:5px;background:var(--line);color:var(--fg);font:.9em ui-monospace,monospace}
a{display:inline-block;margin-top:.5rem;padding:.55rem 1.1rem;border-radius:8px;background:var(--accent);color:var(--on);text-decoration:none;font-weight:600}a:focus-visible{outline:3px solid var(--fg);outline-offset:2px}
.wait{height:3px;margin-top:1.25rem;overflow:hidden;border-radius:3px;background:var(--line)}.wait i{display:block;width:35%;height:100%;background:var(--accent);animation:go 1.4s ease-in-out infinite}
@keyframes go{from{transform:translateX(-100%)}to{transform:translateX(300%)}}@media (prefers-reduced-motion:reduce){.wait i{animation:none;width:100%}}`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** A whole page: no script, no file but itself. Everything in `page` is escaped here. */
export function renderPage(page: Page): string {
  const refresh = page.retrySeconds === undefined ? '' : `<meta http-equiv="refresh" content="${page.retrySeconds}">`;
  const link = page.link === undefined ? '' : `<a href="${escapeHtml(page.link.href)}" target="_top">${escapeHtml(page.link.label)}</a>`;
  const wait = page.retrySeconds === undefined ? '' : '<div class="wait" role="progressbar" aria-label="Waiting"><i></i></div>';
  const text = page.text.map((line) => `<p>${escapeHtml(line).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`).join('');
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(page.title)} · Vessel</title>${refresh}<style>${STYLE}</style></head><body><main><h1>${escapeHtml(page.title)}</h1>${text}${link}${wait}</main></body></html>`;
}

/** `framers` are the sources of frame-ancestors. */
export function pageHeaders(framers: readonly string[]): OutgoingHttpHeaders {
  return {
    'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff',
    'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors ${framers.length === 0 ? "'none'" : framers.join(' ')}`,
  };
}

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
