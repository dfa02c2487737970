import { useEffect, useState } from 'react';

/** About 12 frames a second: a running stopwatch reads as live, and an emulated host keeps its cores. */
const FRAME_MS = 80;

/** The time now, refreshed while `live`; for stopwatches and progress that a person watches. */
export function useLiveNow(live: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!live) return;
    const timer = setInterval(() => setNow(Date.now()), FRAME_MS);
    return () => clearInterval(timer);
  }, [live]);
  return now;
}
