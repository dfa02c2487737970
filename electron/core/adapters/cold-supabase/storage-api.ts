import { VesselError } from '#shared/errors.ts';
import type { Agent } from 'node:https';
import { sendBody } from '../remote/send-body.ts';
import { isNoBucket, linkError, mayBeExpired, meaning, readAnswer, type Answer } from './failures.ts';
import type { SupabaseSession } from './session.ts';

export const BUCKET = 'user-projects';
/** Small questions; what carries a body has time as long as it moves. */
const ASK_TIMEOUT_MS = 20_000;
/** By the clock of this computer, which may be wrong by hours. */
const REMOVAL_MS = 24 * 60 * 60 * 1000;
/** Signed addresses live as long as the slowest download between two cuts. */
const SIGNED_SECONDS = 3600;

/** `path` is below the Storage API, or with a slash in front below the project. */
export type StorageRequest = { readonly method: string; readonly path: string; readonly json?: unknown; readonly body?: Uint8Array; readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal | undefined; readonly agent?: Agent | undefined };

/** The Storage API under the session of whoever is signed in. */
export class StorageApi {
  readonly session: SupabaseSession;
  readonly #stallMs: number | undefined;
  /** `stallMs`: how long a body may stand still; for tests. */
  constructor(session: SupabaseSession, stallMs?: number) { this.session = session; this.#stallMs = stallMs; }

  get root(): string { return `${this.session.url}/storage/v1`; }

  /**
   * One request. A refusal that may mean an expired token is asked again with a fresh one: an expired token gives "Bucket not
   * found" with 404, so no 404 is believed before the auth server knew the user.
   */
  async ask(request: StorageRequest, subject: string): Promise<Response> {
    const first = await this.once(request);
    if (first.ok) return first;
    const refusal = await readAnswer(first);
    if (!mayBeExpired(refusal)) throw meaning(refusal, subject);
    await this.session.renew();
    const second = await this.once(request);
    if (second.ok) return second;
    throw await this.refusal(await readAnswer(second), subject);
  }

  /** One request with the token as it is. Any answer is given back; only a broken link is thrown. */
  async once(request: StorageRequest): Promise<Response> { return this.#send(request, await this.session.token()); }

  /** What a refusal of a fresh token means. */
  async refusal(answer: Answer, subject: string): Promise<VesselError> {
    if (answer.status === 404) {
      await this.session.confirm();
      if (isNoBucket(answer)) return new VesselError('CLOUD_REFUSED', `The cloud project has no bucket "${BUCKET}"`, { hint: 'Apply the migrations of Vessel to it: `supabase db push --remote`.' });
    }
    return meaning(answer, subject);
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

  /** Lets the owner remove every object of a project whose rows still name it; for a project that leaves the cloud. */
  async allowRemoval(projectId: string): Promise<void> {
    const until = new Date(Date.now() + REMOVAL_MS).toISOString();
    const response = await this.ask({ method: 'PATCH', path: `/rest/v1/archives?project_id=eq.${encodeURIComponent(projectId)}`, json: { replaced_until: until }, headers: { prefer: 'return=minimal' } }, 'The revisions');
    await response.body?.cancel();
  }

  async #send({ method, path, json, body, headers, signal, agent }: StorageRequest, token: string): Promise<Response> {
    const address = path.startsWith('/') ? `${this.session.url}${path}` : `${this.root}/${path}`;
    const own = { apikey: this.session.publishableKey, authorization: `Bearer ${token}`, ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...headers };
    if (body !== undefined) return sendBody(address, { method, headers: own, body, signal, agent, stallMs: this.#stallMs });
    const limit = AbortSignal.timeout(ASK_TIMEOUT_MS);
    try {
      return await fetch(address, { method, headers: own, ...(json === undefined ? {} : { body: JSON.stringify(json) }), signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) });
    } catch (error) {
      throw linkError(error, signal);
    }
  }
}
