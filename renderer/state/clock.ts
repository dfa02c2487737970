import { useSyncExternalStore } from 'react';

/** One timer for everything that ticks, however many cards there are; it stops when nobody looks. */
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | null = null;
const TICK_MS = 1_000;

function tick(): void {
  if (typeof document !== 'undefined' && document.hidden) return;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
}

/** A text that depends on the time of day. Renders again only when the text itself changes. */
export function useTicking(describe: (now: number) => string): string {
  const read = (): string => describe(Date.now());
  return useSyncExternalStore(subscribe, read, read);
}
