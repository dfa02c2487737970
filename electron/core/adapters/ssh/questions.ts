import { VesselError } from '#shared/errors.ts';
import type { Prompter, PromptAnswer, PromptQuestion } from '../../ports/prompter.ts';
import type { SecretStore } from '../../ports/secret-store.ts';

/** As ssh(1): NumberOfPasswordPrompts. */
export const MAX_ATTEMPTS = 3;

export type SecretQuestion<T> = {
  readonly kind: 'passphrase' | 'password';
  readonly subject: string;
  readonly label: string;
  /** Under which it is kept. */
  readonly secretName: string;
  /** Tries one; null means that it was wrong. */
  readonly use: (secret: string) => Promise<T | null>;
  readonly refused: () => VesselError;
  /** What to throw where nobody can be asked. */
  readonly unasked: () => VesselError;
};

/** Everything a login asks a person, with what was remembered tried first. */
export class Questions {
  readonly #prompter: Prompter | null;
  readonly #secrets: SecretStore;
  readonly #signal: AbortSignal;
  #open = 0;
  #onOpen: (open: boolean) => void = () => undefined;

  constructor(prompter: Prompter | null, secrets: SecretStore, signal: AbortSignal) {
    this.#prompter = prompter;
    this.#secrets = secrets;
    this.#signal = signal;
  }

  get canAsk(): boolean { return this.#prompter !== null; }

  /** Called when the first question opens and when the last one closes: a person may take longer than any deadline. */
  onOpen(listener: (open: boolean) => void): void { this.#onOpen = listener; }

  remembered(name: string): Promise<string | null> { return this.#secrets.get(name); }
  keep(name: string, value: string, remember: boolean): Promise<void> { return this.#secrets.put(name, value, remember ? 'forever' : 'session'); }
  forget(name: string): Promise<void> { return this.#secrets.remove(name); }

  /** null where nobody can be asked; throws SSH_PROMPT_CANCELLED when the person declines. */
  async ask(question: PromptQuestion): Promise<PromptAnswer | null> {
    if (this.#prompter === null) return null;
    this.#open += 1;
    if (this.#open === 1) this.#onOpen(true);
    try {
      const answer = await this.#prompter.ask(question, this.#signal);
      if (answer === null) throw new VesselError('SSH_PROMPT_CANCELLED', `The question about ${question.subject} was not answered`, { details: { subject: question.subject, kind: question.kind } });
      return answer;
    } finally {
      this.#open -= 1;
      if (this.#open === 0) this.#onOpen(false);
    }
  }

  /** A secret that can be tried at once: the remembered one, then up to three answers. */
  async secret<T>({ kind, subject, label, secretName, use, refused, unasked }: SecretQuestion<T>): Promise<T> {
    const known = await this.remembered(secretName);
    if (known !== null) {
      const result = await use(known);
      if (result !== null) return result;
      await this.forget(secretName);
    }
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const answer = await this.ask({ kind, subject, instructions: '', fields: [{ label, echo: false }], mayRemember: true, attempt });
      if (answer === null) throw unasked();
      const [secret = ''] = answer.answers;
      const result = await use(secret);
      if (result !== null) {
        await this.keep(secretName, secret, answer.remember);
        return result;
      }
    }
    throw refused();
  }
}
