import { setTimeout as delay } from 'node:timers/promises';
import type { Route } from '../../ports/gateway.ts';

/** The route table answers from memory; a clone is up within half a second. */
const LOOK_MS = 10;

/** What has become of an environment that was starting: looks until it starts no more, at most for `mostMs`. */
export async function untilStarted(resolve: () => Route, mostMs: number, gone: () => boolean): Promise<Route> {
  const deadline = performance.now() + mostMs;
  for (;;) {
    const route = resolve();
    if (route.kind !== 'starting' || performance.now() >= deadline || gone()) return route;
    await delay(LOOK_MS);
  }
}
