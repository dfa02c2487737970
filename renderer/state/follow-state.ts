import type { Client, StateEvent } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';

/** After a broken stream the connection itself backs off; this only keeps a refusing server from being asked in a tight loop. */
const RETRY_MS = 300;

/** Feeds `apply` from `state.watch` until the signal aborts; subscribes again whenever the stream ends or breaks. */
export async function followState(client: Client, apply: (event: StateEvent) => void, onError: (error: VesselError) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const event of client.stream('state.watch', {}, { signal })) apply(event);
    } catch (error) {
      if (signal.aborted) return;
      const failure = VesselError.from(error);
      // A lost connection is announced by the connection banner already.
      if (failure.code !== 'HOST_UNREACHABLE') onError(failure);
    }
    await pause(RETRY_MS, signal);
  }
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) { resolve(); return; }
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
