import { z } from 'zod';
import type { Client, Host, Prompt } from '#shared/contract.ts';
import { type ErrorShape, VesselError } from '#shared/errors.ts';
import { followPrompts } from './follow-prompts.ts';

const SeenKeySchema = z.object({ name: z.string(), type: z.string(), fingerprint: z.string(), file: z.string().optional(), line: z.number().optional() });
/** The key that a host showed; `file` and `line` name the authority that vouches for it and cannot be checked. */
export type SeenKey = z.infer<typeof SeenKeySchema>;

export type LoginState =
  | { readonly phase: 'idle' }
  | { readonly phase: 'working' }
  /** Somebody wants a passphrase, a password, a code. */
  | { readonly phase: 'asking'; readonly prompt: Prompt }
  /** A host is seen for the first time: nothing goes on before a person has confirmed its key. */
  | { readonly phase: 'trusting'; readonly key: SeenKey }
  | { readonly phase: 'failed'; readonly error: ErrorShape }
  | { readonly phase: 'done'; readonly host: Host };

/** The call that logs in: it asks within `promptScope`, and trusts the fingerprints that a person has confirmed. */
export type LoginWork = (options: { readonly acceptHostKeys: string[]; readonly promptScope: string }, signal: AbortSignal) => Promise<Host>;

/**
 * One way into a host as a person goes through it: connecting, its key, its questions, the end. Nothing is confirmed by
 * itself, and an answer passes through this object without being kept.
 */
export class LoginFlow {
  readonly #client: Client;
  readonly #listeners = new Set<() => void>();
  #state: LoginState = { phase: 'idle' };
  #abort: AbortController | null = null;
  /** Already answered, though their end was not yet told. */
  readonly #answered = new Set<string>();
  #settleTrust: ((trusted: boolean) => void) | null = null;

  constructor(client: Client) { this.#client = client; }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  };

  readonly state = (): LoginState => this.#state;

  /** Begins anew, whatever was going on. Ends in `done`, `failed`, or in `idle` when it was cancelled. */
  start(work: LoginWork): void {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#run(work, abort.signal).then(
      (host) => this.#set({ phase: 'done', host }, abort.signal),
      (error: unknown) => this.#set({ phase: 'failed', error: VesselError.from(error).toShape() }, abort.signal),
    ).finally(() => { abort.abort(); }).catch(() => undefined); // both ways are handled above
  }

  /** Ends it without a word, also at its question. */
  cancel(): void {
    const { phase } = this.#state;
    const prompt = this.#state.phase === 'asking' ? this.#state.prompt : null;
    const abort = this.#abort;
    this.#abort = null;
    // Declined rather than dropped: the host then stands as one that waits for its answer.
    if (prompt !== null) this.#client.call('prompts.answer', { promptId: prompt.promptId, answers: null }).catch(() => undefined).finally(() => abort?.abort()).catch(() => undefined); // it is over either way
    else abort?.abort();
    this.#settleTrust?.(false);
    if (phase !== 'done') this.#put({ phase: 'idle' });
  }

  answer(answers: readonly string[], remember: boolean): void {
    if (this.#state.phase !== 'asking') return;
    const { promptId } = this.#state.prompt;
    const { signal } = this.#abort ?? new AbortController();
    this.#answered.add(promptId);
    this.#set({ phase: 'working' }, signal);
    this.#client.call('prompts.answer', { promptId, answers: [...answers], remember }).catch((error: unknown) => {
      const known = VesselError.from(error);
      // NOT_FOUND: the login is over already; its own call says how.
      if (known.code !== 'NOT_FOUND') this.#set({ phase: 'failed', error: known.toShape() }, signal);
    });
  }

  /** Confirms the key that is being shown, and no other. */
  trust(): void { this.#settleTrust?.(true); }

  async #run(work: LoginWork, signal: AbortSignal): Promise<Host> {
    const promptScope = crypto.randomUUID();
    const over = new AbortController();
    const watching = AbortSignal.any([signal, over.signal]);
    this.#set({ phase: 'working' }, signal);
    const follow = followPrompts(this.#client, promptScope, (open) => {
      const prompt = open.find(({ promptId }) => !this.#answered.has(promptId));
      if (this.#state.phase !== 'working' && this.#state.phase !== 'asking') return;
      this.#set(prompt === undefined ? { phase: 'working' } : { phase: 'asking', prompt }, watching);
    }, watching);
    // Without its questions the call would wait for answers that cannot come.
    const deaf = follow.then(() => new Promise<never>(() => undefined));
    try {
      const acceptHostKeys: string[] = [];
      for (;;) {
        try {
          return await Promise.race([work({ acceptHostKeys: [...acceptHostKeys], promptScope }, signal), deaf]);
        } catch (error) {
          const key = newKeyOf(error, acceptHostKeys);
          if (key === null || signal.aborted || !await this.#confirmed(key, signal)) throw error;
          acceptHostKeys.push(key.fingerprint);
          this.#set({ phase: 'working' }, signal);
        }
      }
    } finally {
      over.abort();
    }
  }

  #confirmed(key: SeenKey, signal: AbortSignal): Promise<boolean> {
    this.#set({ phase: 'trusting', key }, signal);
    return new Promise((resolve) => {
      this.#settleTrust = (trusted) => { this.#settleTrust = null; resolve(trusted); };
    });
  }

  /** Nothing of an attempt that was given up shows any more. */
  #set(state: LoginState, signal: AbortSignal): void {
    if (!signal.aborted) this.#put(state);
  }

  #put(state: LoginState): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** The unknown key that a person may confirm; null for every other failure, and for a key that was confirmed and is still refused. */
function newKeyOf(error: unknown, accepted: readonly string[]): SeenKey | null {
  const { code, details } = VesselError.from(error);
  if (code !== 'HOST_KEY_UNKNOWN' && code !== 'HOST_KEY_AUTHORITY') return null;
  const seen = SeenKeySchema.safeParse(details);
  return seen.success && !accepted.includes(seen.data.fingerprint) ? seen.data : null;
}
