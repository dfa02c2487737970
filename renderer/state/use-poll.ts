import { useEffect, useEffectEvent } from 'react';
import { pollLoop } from './poll-loop.ts';

/** Runs `work` now and again `everyMs` after it ended, while mounted, `enabled` and looked at. A slow answer never piles up. */
export function usePoll(work: (signal: AbortSignal) => Promise<void>, everyMs: number, enabled: boolean): void {
  const run = useEffectEvent(work);
  useEffect(() => {
    if (!enabled) return;
    const controller = new AbortController();
    void pollLoop({ work: (signal) => run(signal), everyMs, wanted: () => !document.hidden, onError: (error) => console.error(error), signal: controller.signal });
    return () => controller.abort();
  }, [everyMs, enabled]);
}
