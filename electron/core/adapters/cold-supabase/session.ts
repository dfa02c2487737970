import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import { answerError, linkError, meaning, readAnswer, type Answer } from './failures.ts';

const SessionSchema = z.object({
  access_token: z.string(), refresh_token: z.string(), expires_in: z.number(),
  user: z.object({ id: z.string(), email: z.string().nullish() }),
});
const KeptSchema = z.object({ accessToken: z.string(), refreshToken: z.string(), expiresAt: z.number(), userId: z.string(), email: z.string() });
type Kept = z.infer<typeof KeptSchema>;

/** The name under which the session rests in the SecretStore. */
export const SESSION_SECRET = 'supabase-session';
/** A token that has less left is renewed first, so that it does not end in the middle of a request. */
const MARGIN_MS = 60_000;
/** Signing in and renewing are small; longer than this is no network. */
const AUTH_TIMEOUT_MS = 10_000;

export type SupabaseProject = { readonly url: string; readonly publishableKey: string };
export type SignedIn = { readonly userId: string; readonly email: string };

/**
 * Who is signed in, and the token that proves it. It talks to the auth server itself rather than through supabase-js, whose
 * `getSession` blocks for 25 s without a network and judges tokens by a clock that may be wrong. A token's age is measured on
 * this computer since its receipt; whatever the server refuses is renewed all the same.
 */
export class SupabaseSession {
  readonly #project: SupabaseProject;
  readonly #secrets: SecretStore;
  readonly #now: () => number;
  #kept: Kept | null = null;
  #renewing: Promise<string> | null = null;

  constructor(project: SupabaseProject, secrets: SecretStore, now: () => number) {
    this.#project = project;
    this.#secrets = secrets;
    this.#now = now;
  }

  get url(): string { return this.#project.url; }
  get publishableKey(): string { return this.#project.publishableKey; }
  get user(): SignedIn | null { return this.#kept === null ? null : { userId: this.#kept.userId, email: this.#kept.email }; }

  /** Reads the kept session; needs no network. */
  async load(): Promise<SignedIn | null> {
    const text = await this.#secrets.get(SESSION_SECRET);
    const parsed = text === null ? null : KeptSchema.safeParse(parseJson(text));
    this.#kept = parsed?.success === true ? parsed.data : null;
    return this.user;
  }

  /** Throws CLOUD_SIGNED_OUT. */
  requireUser(): SignedIn {
    const { user } = this;
    if (user === null) throw new VesselError('CLOUD_SIGNED_OUT');
    return user;
  }

  /** A token that is good as far as is known. Throws CLOUD_SIGNED_OUT, CLOUD_OFFLINE. */
  async token(): Promise<string> {
    this.requireUser();
    const kept = this.#kept;
    return kept !== null && kept.expiresAt - MARGIN_MS > this.#now() ? kept.accessToken : this.renew();
  }

  /** Another token, whatever the present one looks like. One request at a time. Throws CLOUD_SIGNED_OUT when the server ended the session. */
  renew(): Promise<string> {
    this.#renewing ??= this.#renew().finally(() => { this.#renewing = null; });
    return this.#renewing;
  }

  /** Throws CLOUD_SIGNED_OUT when the server does not know this user. Only after it may a 404 be believed. */
  async confirm(): Promise<void> {
    const response = await this.#send('GET', 'user', null, await this.token());
    if (response.status === 401 || response.status === 403) {
      const again = await this.#send('GET', 'user', null, await this.renew());
      if (!again.ok) throw await answerError(again, 'The account');
      await again.body?.cancel();
      return;
    }
    if (!response.ok) throw await answerError(response, 'The account');
    await response.body?.cancel();
  }

  /** Null when the address must be confirmed first. */
  async signUp(email: string, password: string): Promise<SignedIn | null> {
    const body = await this.#ask('signup', { email, password });
    return SessionSchema.safeParse(body).success ? this.#keep(body) : null;
  }
  async signIn(email: string, password: string): Promise<SignedIn> { return this.#keep(await this.#ask('token?grant_type=password', { email, password })); }
  /** Sends an e-mail with a code. Says nothing about whether the address is known. */
  async sendReset(email: string): Promise<void> { await this.#ask('recover', { email }); }
  /** Signs in with the code of the e-mail and sets a new password. */
  async finishReset(email: string, code: string, password: string): Promise<SignedIn> {
    const user = await this.#keep(await this.#ask('verify', { type: 'recovery', email, token: code }));
    const response = await this.#send('PUT', 'user', { password }, await this.token());
    if (!response.ok) throw await answerError(response, 'The new password');
    await response.body?.cancel();
    return user;
  }

  /** Forgets the session here first, then tells the server if it can be reached. */
  async signOut(): Promise<void> {
    const token = this.#kept?.accessToken;
    await this.#forget();
    if (token === undefined) return;
    // Without a network the token simply runs out.
    await this.#send('POST', 'logout?scope=local', null, token).then((response) => response.body?.cancel(), () => undefined);
  }

  async #renew(): Promise<string> {
    const kept = this.#kept;
    if (kept === null) throw new VesselError('CLOUD_SIGNED_OUT');
    const response = await this.#send('POST', 'token?grant_type=refresh_token', { refresh_token: kept.refreshToken }, null);
    const refusal = response.ok ? null : await readAnswer(response);
    if (refusal !== null && isVoid(refusal)) {
      // Only the session it was asked with: a person may have signed in meanwhile.
      if (this.#kept === kept) await this.#forget();
      throw new VesselError('CLOUD_SIGNED_OUT', 'The session has ended');
    }
    if (refusal !== null) {
      // Anything else says nothing of the session: a gateway, a limit, a fault.
      const known = meaning(refusal, 'The session');
      throw known.code === 'CLOUD_SIGNED_OUT' || known.code === 'NOT_FOUND' ? new VesselError('CLOUD_FAILED', known.message, { details: known.details }) : known;
    }
    await this.#keep(await response.json());
    return this.#kept?.accessToken ?? '';
  }

  async #forget(): Promise<void> {
    this.#kept = null;
    await this.#secrets.remove(SESSION_SECRET);
  }

  async #keep(body: unknown): Promise<SignedIn> {
    const session = SessionSchema.safeParse(body);
    if (!session.success) throw new VesselError('CLOUD_FAILED', 'The auth server answered without a session');
    const { access_token, refresh_token, expires_in, user } = session.data;
    this.#kept = { accessToken: access_token, refreshToken: refresh_token, expiresAt: this.#now() + expires_in * 1000, userId: user.id, email: user.email ?? '' };
    await this.#secrets.put(SESSION_SECRET, JSON.stringify(this.#kept), 'forever');
    return { userId: user.id, email: user.email ?? '' };
  }

  async #ask(path: string, body: object): Promise<unknown> {
    const response = await this.#send('POST', path, body, null);
    if (!response.ok) {
      const failure = await answerError(response, 'The account');
      throw failure.code === 'CLOUD_SIGNED_OUT' ? new VesselError('CLOUD_REFUSED', failure.message, { cause: failure }) : failure;
    }
    return response.json();
  }

  async #send(method: string, path: string, body: object | null, token: string | null): Promise<Response> {
    try {
      return await fetch(`${this.#project.url}/auth/v1/${path}`, {
        method, signal: AbortSignal.timeout(AUTH_TIMEOUT_MS),
        headers: { apikey: this.#project.publishableKey, ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...(body === null ? {} : { 'content-type': 'application/json' }) },
        ...(body === null ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw linkError(error);
    }
  }
}

/** What the auth server says when a refresh token is of no use any more, by its codes and by the words of older ones. */
const isVoid = ({ status, code, message }: Answer): boolean => status >= 400 && status < 500 && /refresh_token_(?:not_found|already_used)|session_(?:not_found|expired)|user_(?:not_found|banned)|invalid_grant|invalid refresh token|refresh token (?:not found|is invalid)/i.test(`${code} ${message}`);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // the schema refuses it: signed out
  }
}
