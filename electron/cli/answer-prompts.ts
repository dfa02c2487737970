import { randomUUID } from 'node:crypto';
import type { Prompt } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { askLine, canAsk } from './ask.ts';
import type { Context } from './context.ts';
import { printable } from './style.ts';

/**
 * Makes a call that may ask for passphrases, passwords and codes, and answers from this terminal. Without a terminal
 * `scope` is undefined: nothing is asked, and what would have to be asked fails with its code.
 */
export async function withPrompts<T>(context: Context, work: (scope: string | undefined) => Promise<T>): Promise<T> {
  if (!canAsk(context.runtime) || context.output.json) return work(undefined);
  const scope = randomUUID();
  const over = new AbortController();
  const answering = answerPrompts(context, scope, over.signal);
  try {
    // The watch ends only with the call; if it breaks first, the call would wait for an answer that cannot come.
    return await Promise.race([work(scope), answering.then(() => new Promise<never>(() => undefined))]);
  } finally {
    over.abort();
    await answering.catch(() => undefined); // its failure was the race's already
  }
}

async function answerPrompts(context: Context, scope: string, signal: AbortSignal): Promise<void> {
  const client = await context.session.client();
  const open = new Map<string, AbortController>();
  const asking: Promise<void>[] = [];
  try {
    for await (const event of client.stream('prompts.watch', { scope }, { signal })) {
      if (event.kind === 'closed') { open.get(event.promptId)?.abort(); continue; }
      const closed = new AbortController();
      open.set(event.prompt.promptId, closed);
      // One question after the other: a terminal has one line to type in.
      const before = asking.at(-1) ?? Promise.resolve();
      asking.push(before.then(() => answer(context, event.prompt, AbortSignal.any([closed.signal, signal]))));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    for (const one of open.values()) one.abort();
    await Promise.all(asking);
  }
}

async function answer(context: Context, prompt: Prompt, signal: AbortSignal): Promise<void> {
  const { runtime, output, session } = context;
  try {
    if (prompt.attempt > 1) output.note('That was not right.');
    if (prompt.kind === 'questions') output.note(printable(`${prompt.subject} asks:${prompt.instructions === '' ? '' : `\n${prompt.instructions}`}`));
    const answers: string[] = [];
    for (const field of prompt.fields) {
      const line = await askLine(runtime, field.label, field.echo, signal);
      if (line === null) { await session.call('prompts.answer', { promptId: prompt.promptId, answers: null }); return; }
      answers.push(line);
    }
    const remember = prompt.mayRemember && /^y(es)?$/i.test(await askLine(runtime, await keepQuestion(session), true, signal) ?? '');
    await session.call('prompts.answer', { promptId: prompt.promptId, answers, remember });
  } catch (error) {
    // Answered elsewhere, or the login is over.
    if (!(error instanceof VesselError) || (error.code !== 'CANCELLED' && error.code !== 'NOT_FOUND')) throw error;
  }
}

/** Says where it would rest, before anybody agrees to it. */
async function keepQuestion(session: Context['session']): Promise<string> {
  const { secretsSealed } = await session.call('app.info', {});
  return `Keep it ${secretsSealed === true ? 'sealed by the keychain of this computer' : "in Vessel's own file (not encrypted)"}? [y/N]`;
}
