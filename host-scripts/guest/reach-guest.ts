import { setTimeout as delay } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import type { WorkContext } from '../drivers/driver.ts';
import { guestHealth } from './guest-client.ts';
import type { GuestAddress } from './guest-client.ts';

/** A knock that met no network card yet is never answered (passt sends one SYN), so another follows at this pace. */
const KNOCK_EVERY_MS = 300;
const KNOCK_LASTS_MS = 10_000;

/**
 * Waits until the agent of a booting guest answers at all. Knocks overlap: an early one may hang for good while a later one is
 * answered at once. Throws GUEST_TIMEOUT, VM_START_FAILED, GUEST_UNAUTHORIZED, CANCELLED.
 */
export async function reachGuest(address: GuestAddress, token: string, context: WorkContext, options: { readonly deadline: number; readonly alive: () => Promise<boolean> }): Promise<void> {
  const done = new AbortController();
  const signal = AbortSignal.any([context.signal, done.signal]);
  let answered = false;
  let refusal: VesselError | null = null;
  const knock = async (): Promise<void> => {
    try {
      await guestHealth(address, token, { signal, attemptMs: KNOCK_LASTS_MS });
      answered = true;
    } catch (error) {
      const known = VesselError.from(error);
      // Not there yet, or called off because another knock was answered.
      if (known.code !== 'GUEST_UNREACHABLE' && known.code !== 'CANCELLED') refusal = known;
    }
  };
  try {
    while (!answered) {
      void knock();
      await delay(KNOCK_EVERY_MS, undefined, { signal: context.signal });
      if (refusal !== null) throw refusal as VesselError;
      if (!await options.alive()) throw new VesselError('VM_START_FAILED', 'the machine ended while it booted');
      if (!answered && Date.now() > options.deadline) throw new VesselError('GUEST_TIMEOUT', 'the guest agent did not answer in time');
    }
  } finally {
    done.abort(new VesselError('CANCELLED'));
  }
}
