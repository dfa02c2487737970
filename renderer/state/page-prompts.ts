import type { Client } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { followPrompts } from './follow-prompts.ts';
import { toastError, useStore } from './store.ts';

/** Where questions of this page's calls are asked, other than those of a login, which has a dialog and a scope of its own. */
export const PAGE_SCOPE = crypto.randomUUID();

/** Keeps the store told of the questions of this page for as long as it lives. */
export async function followPagePrompts(client: Client, signal: AbortSignal): Promise<void> {
  try {
    await followPrompts(client, PAGE_SCOPE, (prompts) => useStore.getState().setPrompts(prompts), signal);
  } catch (error) {
    toastError(error);
  }
}

/** `answers` null declines. */
export function answerPagePrompt(client: Client, promptId: string, answers: readonly string[] | null, remember: boolean): void {
  const { prompts, setPrompts } = useStore.getState();
  setPrompts(prompts.filter((prompt) => prompt.promptId !== promptId));
  client.call('prompts.answer', { promptId, answers: answers === null ? null : [...answers], remember }).catch((error: unknown) => {
    // NOT_FOUND: the call that asked is over; its own answer says how.
    if (VesselError.from(error).code !== 'NOT_FOUND') toastError(error);
  });
}
