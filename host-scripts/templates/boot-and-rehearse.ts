import { setTimeout as delay } from 'node:timers/promises';
import type { GuestHealth } from '#shared/guest-protocol.ts';
import type { WorkContext } from '../drivers/driver.ts';
import { waitUntil } from '../drivers/wait-until.ts';
import { guestHealth } from '../guest/guest-client.ts';
import type { GuestAddress } from '../guest/guest-client.ts';
import { reachGuest } from '../guest/reach-guest.ts';
import { rehearseIde } from '../guest/rehearse-ide.ts';
import { rehearse } from '../guest/rehearse.ts';
import { cpuSeconds } from '../system/process-identity.ts';
import type { ProcessIdentity } from '../system/process-identity.ts';

/** A cold boot in emulation took 8–20 s when it was measured; a crowded host needed 4 minutes. */
export const BUILD_DEADLINE_MS = 600_000;
const READY_POLL_MS = 100;
export const ATTEMPT_MS = 10_000;
/**
 * The guest goes idle, writes what it has to write, and loads the spare processes of VS Code before it is frozen: a clone then wakes up
 * with nothing to do. An idle guest uses about a fiftieth of a processor in emulation; timers of its first ten seconds have fired by then.
 */
const SETTLE_LEAST_MS = 10_000;
const SETTLE_STEP_MS = 1_500;
const SETTLE_MOST_MS = 45_000;
const IDLE_SHARE = 0.08;

/** Waits until the guest does nothing any more; a host too busy to tell only costs the most time. */
async function settle({ hypervisor }: RehearsedGuest, { signal }: WorkContext): Promise<void> {
  const deadline = Date.now() + SETTLE_MOST_MS;
  await delay(SETTLE_LEAST_MS, undefined, { signal });
  let used = await cpuSeconds(hypervisor);
  for (;;) {
    await delay(SETTLE_STEP_MS, undefined, { signal });
    const now = await cpuSeconds(hypervisor);
    if ((now - used) * 1000 < SETTLE_STEP_MS * IDLE_SHARE || Date.now() > deadline) return;
    used = now;
  }
}

export type RehearsedGuest = { readonly address: GuestAddress; readonly hypervisor: ProcessIdentity; readonly alive: () => Promise<boolean> };

/** Waits for a booting guest, lives through what every clone of it does first, and lets it settle. Returns the bootstrap token of the clones to come. */
export async function bootAndRehearse(guest: RehearsedGuest, token: string, ideStaticDir: string, context: WorkContext): Promise<string> {
  const deadline = Date.now() + BUILD_DEADLINE_MS;
  const { address, alive } = guest;
  await reachGuest(address, token, context, { deadline, alive });
  context.stage('ready');
  const health = (): Promise<GuestHealth> => guestHealth(address, token, { signal: context.signal, attemptMs: ATTEMPT_MS });
  await waitUntil(async () => (await health()).ideReady, { pollMs: READY_POLL_MS, deadline, signal: context.signal, what: 'VS Code in the template' });
  context.stage('rehearse');
  await rehearseIde(address, token, (await health()).ide, ideStaticDir, context);
  const last = await rehearse(address, token, 'template', ['/healthz'], context.signal);
  await settle(guest, context);
  return last;
}
