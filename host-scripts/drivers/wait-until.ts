import { setTimeout as delay } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';

/** Asks until the answer is yes. Throws TIMEOUT (naming `what`), CANCELLED, or whatever asking throws. */
export async function waitUntil(ask: () => Promise<boolean>, options: { readonly pollMs: number; readonly deadline: number; readonly signal: AbortSignal; readonly what: string }): Promise<void> {
  while (!await ask()) {
    if (Date.now() > options.deadline) throw new VesselError('TIMEOUT', `waited in vain for ${options.what}`);
    await delay(options.pollMs, undefined, { signal: options.signal });
  }
}
