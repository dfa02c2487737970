import { setTimeout as delay } from 'node:timers/promises';
import type { Route } from '../../ports/gateway.ts';

/** The route table answers from memory; a clone is up within half a second. */
const LOOK_MS = 10;

/** Whether it is worth while to wait for an environment: it starts, or the line to its host is being made anew. */
export const comes = (route: Route): boolean => route.kind === 'starting' || (route.kind === 'unreachable' && route.waits);

/** What has become of an environment that was on its way: looks until it is there or will not come, at most for `mostMs`. */
export async function untilReachable(resolve: () => Route, mostMs: number, gone: () => boolean): Promise<Route> {
  const deadline = performance.now() + mostMs;
  for (;;) {
    const route = resolve();
    if (!comes(route) || performance.now() >= deadline || gone()) return route;
    await delay(LOOK_MS);
  }
}
