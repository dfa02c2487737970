/**
 * How the app's page in a browser gets its session cookie back after pages of guests filled the jar that they share. `GET` gives the page a key, which it
 * keeps in its own storage; `POST` with the key sets the cookie anew.
 */
export const RENEWAL_PATH = '/__vessel/renew';
/** The key's name in the page's localStorage. */
export const RENEWAL_STORAGE_NAME = 'vessel-renewal';
