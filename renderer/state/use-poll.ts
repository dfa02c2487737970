import { useEffect, useEffectEvent } from 'react';
import { pause } from './follow-state.ts';

/** Runs `work` now and again `everyMs` after it ended, while mounted, `enabled` and looked at. A slow answer never piles up. */
export function usePoll(work: (signal: AbortSignal) => Promise<void>, everyMs: number, enabled: boolean): void {
  const run = useEffectEvent(work);
  useEffect(() => {
    if (!enabled) return;
    const controller = new AbortController();
    const loop = async (): Promise<void> => {
      while (!controller.signal.aborted) {
        // One question that failed is no reason to stop asking: the next may well be answered.
        if (!document.hidden) await run(controller.signal).catch((error: unknown) => { if (!controller.signal.aborted) console.error(error); });
        await pause(everyMs, controller.signal);
      }
    };
    void loop();
    return () => controller.abort();
  }, [everyMs, enabled]);
}
