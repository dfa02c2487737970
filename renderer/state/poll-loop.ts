import { pause } from './follow-state.ts';

export type PollOptions = {
  readonly work: (signal: AbortSignal) => Promise<void>;
  /** Milliseconds from the end of one answer to the next question. */
  readonly everyMs: number;
  /** False for a turn that is left out, such as while the page is hidden. */
  readonly wanted: () => boolean;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
};

/** Asks now and again until `signal` aborts. A question that failed, however it failed, is told and does not end it: the next may be answered. */
export async function pollLoop({ work, everyMs, wanted, onError, signal }: PollOptions): Promise<void> {
  while (!signal.aborted) {
    try {
      if (wanted()) await work(signal);
    } catch (error) {
      if (!signal.aborted) onError(error);
    }
    await pause(everyMs, signal);
  }
}
