import { guestActivity } from './guest-client.ts';

/** A guest that does not say in this time what it did lately is put to sleep all the same. */
const ACTIVITY_MS = 5_000;

/** The guest's change counter before it falls asleep; null when it does not tell: then the desktop saves once more than needed. */
export async function changeCounterOf(guest: { readonly host: string; readonly port: number | null; readonly token: string | null }, signal: AbortSignal): Promise<number | null> {
  const { host, port, token } = guest;
  if (port === null || token === null) return null;
  try {
    return (await guestActivity({ host, port }, token, { signal, attemptMs: ACTIVITY_MS })).changeCounter;
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}
