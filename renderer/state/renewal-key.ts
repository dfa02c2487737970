import { RENEWAL_PATH, RENEWAL_STORAGE_NAME } from '#shared/renewal.ts';

/** Keeps what brings this page's session back should the browser lose its cookie. Without it the person enters anew, so a failure costs nothing now. */
export async function keepRenewalKey(): Promise<void> {
  try {
    const answer = await fetch(RENEWAL_PATH, { cache: 'no-store' });
    if (answer.ok) window.localStorage.setItem(RENEWAL_STORAGE_NAME, await answer.text());
  } catch {
    // Offline for a moment, or a browser that stores nothing: the next load tries again.
  }
}
