import { describe, expect, it } from 'vitest';
import type { StreamItem } from '#shared/contract.ts';
import type { PromptQuestion } from '../ports/prompter.ts';
import { Prompts } from './prompts.ts';

const question: PromptQuestion = { kind: 'password', subject: 'ada@box', instructions: '', fields: [{ label: 'Password', echo: false }], mayRemember: false, attempt: 1 };
const never = (): AbortSignal => new AbortController().signal;
type Event = StreamItem<'prompts.watch'>;
const nextOf = async (events: AsyncGenerator<Event, void>): Promise<Event> => { const { value, done } = await events.next(); if (done === true || value === undefined) throw new Error('ended'); return value; };

describe('prompts', () => {
  it('reach whoever watches their scope, now or a little later, and nobody else', async () => {
    const prompts = new Prompts();
    const stop = new AbortController();
    const other = prompts.watch('other-scope', stop.signal);
    const silent = other.next();
    const asked = prompts.prompter('my-scope', never()).ask(question, never());
    const mine = prompts.watch('my-scope', stop.signal);
    const seen = await nextOf(mine);
    expect(seen).toMatchObject({ kind: 'prompt', prompt: { subject: 'ada@box', scope: 'my-scope', fields: question.fields } });
    const { promptId } = seen.kind === 'prompt' ? seen.prompt : { promptId: '' };
    expect(() => prompts.answer(promptId, ['a', 'b'], false)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    prompts.answer(promptId, ['secret'], true);
    // What may not be remembered is not, whatever the door says.
    expect(await asked).toEqual({ answers: ['secret'], remember: false });
    expect(await nextOf(mine)).toEqual({ kind: 'closed', promptId });
    expect(() => prompts.answer(promptId, ['secret'], false)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    stop.abort();
    expect((await silent).done).toBe(true);
  });

  it('are declined by null, and end with the call that asked', async () => {
    const prompts = new Prompts();
    const call = new AbortController();
    const prompter = prompts.prompter('my-scope', call.signal);
    const watch = prompts.watch('my-scope', never());
    const first = prompter.ask(question, never());
    const seen = await nextOf(watch);
    prompts.answer(seen.kind === 'prompt' ? seen.prompt.promptId : '', null, false);
    expect(await first).toBeNull();
    const second = prompter.ask(question, never());
    call.abort();
    await expect(second).rejects.toThrow(expect.objectContaining({ code: 'CANCELLED' }));
    await expect(prompter.ask(question, never())).rejects.toThrow(expect.objectContaining({ code: 'CANCELLED' }));
  });
});
