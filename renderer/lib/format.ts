/** Words for numbers. Pure, so that the same moment always reads the same. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Bytes in decimal units with three significant digits at most: `1.2 MB`, `640 kB`, `0 B`. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return '–';
  let value = bytes;
  let unit = 0;
  while (unit < UNITS.length - 1 && Math.round(value) >= 1000) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? (Math.round(value * 10) % 10 === 0 ? 0 : 1) : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? 'B'}`;
}

/** `1 file`, `1,204 files`. */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? singular : plural}`;
}

/** A length of time in milliseconds: `214 ms`, `0.84 s` from 0.8 s on, `12.3 s`, `2 min 05 s`, `1 h 04 min`. */
export function formatDuration(ms: number): string {
  const safe = Math.max(0, ms);
  if (safe < 800) return `${Math.round(safe)} ms`;
  if (safe < 9_995) return `${(safe / 1000).toFixed(2)} s`;
  if (safe < 59_950) return `${(safe / 1000).toFixed(1)} s`;
  const seconds = Math.round(safe / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} min`;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long ago, for people: `just now`, `2 min ago`, `3 h ago`, `yesterday`, `5 days ago`, then the date. */
export function formatAgo(at: number, now: number): string {
  const past = now - at;
  if (past < 45_000) return 'just now';
  if (past < HOUR - 30_000) return `${Math.max(1, Math.round(past / MINUTE))} min ago`;
  if (past < 22 * HOUR) return `${Math.max(1, Math.round(past / HOUR))} h ago`;
  if (past < 36 * HOUR) return 'yesterday';
  if (past < 14 * DAY) return `${Math.round(past / DAY)} days ago`;
  return `on ${formatDate(at)}`;
}

/** What is left until a moment, rounded up so that it never says 0 too early: `12 min`, `45 s`, `2 h 05 min`. */
export function formatLeft(at: number, now: number): string {
  const left = at - now;
  if (left <= 0) return 'now';
  if (left < MINUTE) return `${Math.ceil(left / 1000)} s`;
  const minutes = Math.ceil(left / MINUTE);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Local date, sortable and unambiguous in every country: `2026-11-21`. */
export function formatDate(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Local date and time: `2026-11-21 14:03:09`. */
export function formatDateTime(at: number): string {
  const date = new Date(at);
  return `${formatDate(at)} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The first characters of a SHA-256: enough to compare by eye. */
export function shortHash(sha256: string): string {
  return sha256.slice(0, 12);
}

/** 0–1 as a whole percentage that says 100 only when it is done. */
export function formatPercent(share: number): string {
  const clamped = Math.min(1, Math.max(0, share));
  return `${clamped === 1 ? 100 : Math.min(99, Math.floor(clamped * 100))}%`;
}
