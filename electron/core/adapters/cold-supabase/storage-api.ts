import { VesselError } from '#shared/errors.ts';
import { linkError, meaning, readAnswer, type Answer } from './failures.ts';
import type { SupabaseSession } from './session.ts';

export const BUCKET = 'user-projects';
/** Small questions; a transfer has no such limit. */
const ASK_TIMEOUT_MS = 20_000;
/** Signed addresses live as long as the slowest download between two cuts. */
const SIGNED_SECONDS = 3600;

/** `path` is below the Storage API, or with a slash in front below the project. */
export type StorageRequest = { readonly method: string; readonly path: string; readonly json?: unknown; readonly body?: Uint8Array; readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal | undefined };

/** The Storage API under the session of whoever is signed in. */
export class StorageApi {
  readonly session: SupabaseSession;
  constructor(session: SupabaseSession) { this.session = session; }

  get root(): string { return `${this.session.url}/storage/v1`; }

  /**
   * One request. A refusal that may mean an expired token is asked again with a fresh one: an expired token gives "Bucket not
   * found" with 404, so no 404 is believed before the auth server knew the user.
   */
  async ask(request: StorageRequest, subject: string): Promise<Response> {
    const first = await this.#send(request, await this.session.token());
    if (first.ok) return first;
    const refusal = await readAnswer(first);
    if (!mayBeExpired(refusal)) throw meaning(refusal, subject);
    const second = await this.#send(request, await this.session.renew());
    if (second.ok) return second;
    const again = await readAnswer(second);
    if (again.status === 404) {
      await this.session.confirm();
      if (/bucket/i.test(again.message)) throw new VesselError('CLOUD_REFUSED', `The cloud project has no bucket "${BUCKET}"`, { hint: 'Apply the migrations of Vessel to it: `supabase db push --remote`.' });
    }
    throw meaning(again, subject);
  }

  /** An address that gives one object without a header, for an hour. Throws NOT_FOUND. */
  async sign(name: string, signal: AbortSignal | undefined): Promise<string> {
    const response = await this.ask({ method: 'POST', path: `object/sign/${BUCKET}/${name}`, json: { expiresIn: SIGNED_SECONDS }, signal }, 'The archive');
    const { signedURL } = await response.json() as { readonly signedURL?: unknown };
    if (typeof signedURL !== 'string') throw new VesselError('CLOUD_FAILED', 'The Storage API signed nothing');
    return `${this.root}${signedURL}`;
  }

  /** Lets the owner remove an object that revisions name, for ten minutes: a damaged one, to send its content again. */
  async allowReplacement(name: string, signal: AbortSignal | undefined): Promise<void> {
    const response = await this.ask({ method: 'POST', path: '/rest/v1/rpc/allow_replacement', json: { p_path: name }, signal }, 'The revision');
    await response.body?.cancel();
  }

  async #send({ method, path, json, body, headers, signal }: StorageRequest, token: string): Promise<Response> {
    const limit = body === undefined ? AbortSignal.timeout(ASK_TIMEOUT_MS) : undefined;
    const signals = [signal, limit].filter((one) => one !== undefined);
    try {
      return await fetch(path.startsWith('/') ? `${this.session.url}${path}` : `${this.root}/${path}`, {
        method, headers: { apikey: this.session.publishableKey, authorization: `Bearer ${token}`, ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }), ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
        ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
      });
    } catch (error) {
      throw linkError(error, signal);
    }
  }
}

function mayBeExpired({ status, code, message }: Answer): boolean {
  return status === 401 || /jwt|exp|token/i.test(`${code} ${message}`) || (status === 404 && /bucket/i.test(message)) || status === 403;
}
