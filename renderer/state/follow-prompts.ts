import type { Client, Prompt } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { pause } from './follow-state.ts';

const RETRY_MS = 300;

/** Tells `onPrompts` which questions of a scope are open, oldest first, until the signal aborts; asks anew when the stream breaks. */
export async function followPrompts(client: Client, scope: string, onPrompts: (open: readonly Prompt[]) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let open: readonly Prompt[] = [];
    try {
      for await (const event of client.stream('prompts.watch', { scope }, { signal })) {
        if (signal.aborted) return;
        const others = open.filter(({ promptId }) => promptId !== (event.kind === 'prompt' ? event.prompt.promptId : event.promptId));
        open = event.kind === 'prompt' ? [...others, event.prompt] : others;
        onPrompts(open);
      }
    } catch (error) {
      if (signal.aborted) return;
      const { code } = VesselError.from(error);
      if (code === 'BAD_REQUEST' || code === 'NOT_FOUND') throw error;
      // A lost connection ends the calls that ask; their own failure says so.
      onPrompts([]);
    }
    await pause(RETRY_MS, signal);
  }
}
