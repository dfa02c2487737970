import { networkInterfaces } from 'node:os';

const TICK_MS = 3_000;
/** A tick this late means that the computer slept (or that the process was stopped): the line may be dead. */
const LATE_MS = 10_000;

/** Calls `onSuspicion` when the computer woke from sleep or its own addresses changed. Returns how to stop. */
export function watchForWaking(onSuspicion: (why: string) => void): () => void {
  let last = Date.now();
  let addresses = ownAddresses();
  const timer = setInterval(() => {
    const now = Date.now();
    const late = now - last > TICK_MS + LATE_MS;
    last = now;
    const current = ownAddresses();
    const moved = current !== addresses;
    addresses = current;
    if (late) onSuspicion('the computer woke up');
    else if (moved) onSuspicion('the network changed');
  }, TICK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

const ownAddresses = (): string => Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)).sort().join(' ');
