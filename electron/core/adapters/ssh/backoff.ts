/** The first retry comes at once for a person's eye; a host that stays away is asked twice a minute. */
const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/**
 * Milliseconds to wait before attempt `attempt` (1, 2, 3 …): doubling, up to 30 s, of which a random half is taken off, so
 * that many clients of a host that came back do not all knock at once. `random` is 0–1.
 */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(FIRST_MS * 2 ** (attempt - 1), LONGEST_MS);
  return Math.round(full * (0.5 + random / 2));
}
