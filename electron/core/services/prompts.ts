import { randomUUID } from 'node:crypto';
import type { Prompt, StreamItem } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { Mailbox } from '../domain/mailbox.ts';
import type { PromptAnswer, Prompter, PromptQuestion } from '../ports/prompter.ts';

type PromptEvent = StreamItem<'prompts.watch'>;
type Open = { readonly prompt: Prompt; readonly settle: (answer: PromptAnswer | null) => void };

/**
 * Questions on their way to a person. A scope is a word that a door makes up: it watches the scope, names it in the call
 * that may ask, and so nobody else sees the question. Answers pass through memory only.
 */
export class Prompts {
  readonly #open = new Map<string, Open>();
  readonly #readers = new Set<{ readonly scope: string; readonly mailbox: Mailbox<PromptEvent> }>();

  /** Asks within a scope until the call ends; `call` is that call's signal. */
  prompter(scope: string, call: AbortSignal): Prompter {
    return { ask: (question, signal) => this.#ask(scope, question, AbortSignal.any([call, signal])) };
  }

  /** What is open in the scope, then what comes. */
  async *watch(scope: string, signal: AbortSignal): AsyncGenerator<PromptEvent, void> {
    const reader = { scope, mailbox: new Mailbox<PromptEvent>(signal) };
    this.#readers.add(reader);
    try {
      for (const { prompt } of this.#open.values()) if (prompt.scope === scope) yield { kind: 'prompt', prompt };
      yield* reader.mailbox;
    } finally {
      this.#readers.delete(reader);
    }
  }

  /** Throws NOT_FOUND when it is no longer asked, BAD_REQUEST when the number of answers is wrong. */
  answer(promptId: string, answers: readonly string[] | null, remember: boolean): void {
    const open = this.#open.get(promptId);
    if (open === undefined) throw new VesselError('NOT_FOUND', 'This question is no longer asked');
    const { fields, mayRemember } = open.prompt;
    if (answers !== null && answers.length !== fields.length) throw new VesselError('BAD_REQUEST', `${fields.length} answers are asked for, ${answers.length} were given`);
    open.settle(answers === null ? null : { answers, remember: remember && mayRemember });
  }

  async #ask(scope: string, question: PromptQuestion, signal: AbortSignal): Promise<PromptAnswer | null> {
    if (signal.aborted) throw new VesselError('CANCELLED');
    const promptId = randomUUID();
    const prompt: Prompt = { promptId, scope, kind: question.kind, subject: question.subject, instructions: question.instructions, fields: question.fields.map((field) => ({ ...field })), mayRemember: question.mayRemember, attempt: question.attempt };
    let onAbort = (): void => undefined;
    try {
      return await new Promise<PromptAnswer | null>((resolve, reject) => {
        onAbort = () => reject(new VesselError('CANCELLED'));
        signal.addEventListener('abort', onAbort, { once: true });
        this.#open.set(promptId, { prompt, settle: resolve });
        this.#tell(scope, { kind: 'prompt', prompt });
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#open.delete(promptId);
      this.#tell(scope, { kind: 'closed', promptId });
    }
  }

  #tell(scope: string, event: PromptEvent): void { for (const reader of this.#readers) if (reader.scope === scope) reader.mailbox.push(event); }
}
