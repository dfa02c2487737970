const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const;

/** Bytes for people, decimal units as file managers show them: `1.2 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A span in milliseconds for people: `84 ms`, `1.24 s`, `2 min 5 s`, `3 h 4 min`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_995) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

const SPANS = [['day', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1000]] as const;

/** A moment as seen from `now`: `2 min ago`, `in 3 h`, `just now`; null is `never`. */
export function formatAgo(at: number | null, now: number): string {
  if (at === null) return 'never';
  const distance = Math.abs(now - at);
  for (const [unit, size] of SPANS) {
    if (distance < size) continue;
    const count = Math.floor(distance / size);
    const text = `${count} ${unit}${unit === 'day' && count > 1 ? 's' : ''}`;
    return at <= now ? `${text} ago` : `in ${text}`;
  }
  return 'just now';
}

/** `1 file`, `2 files`. */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
