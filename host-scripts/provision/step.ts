import type { Journal, JournalEntry } from './journal.ts';

export type Check = {
  readonly present: boolean;
  /** What was seen. */
  readonly evidence: string;
  /** What running the step would change, in words; empty when nothing. */
  readonly plan: readonly string[];
  /** The step does not apply here, or cannot be had; the evidence says why. Nothing is run and nothing fails. */
  readonly skipped?: boolean;
};

export type StepContext = {
  readonly signal: AbortSignal;
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', text: string) => void;
  /** 0–1 inside the step, and what is being done. */
  readonly progress: (fraction: number, doing: string) => void;
  readonly journal: Journal;
};

/**
 * One part of making a computer a host. `check` changes nothing; `run` is called only when something is missing and may be repeated
 * after any failure; `undo` takes back one journal entry of this step and is safe when the change never came to be. A step whose
 * `check` still finds something missing after `run` has failed.
 */
export type ProvisionStep = {
  readonly id: string;
  readonly title: string;
  /** Share of the whole, about seconds on a small computer. */
  readonly weight: number;
  readonly check: (signal: AbortSignal) => Promise<Check>;
  readonly run: (context: StepContext) => Promise<void>;
  /** Resolves to null when undone, else to why it is kept. */
  readonly undo: (entry: JournalEntry, signal: AbortSignal) => Promise<string | null>;
  /** Undoes many entries at once where that is possible and faster; false leaves them to `undo`, one by one. */
  readonly undoAll?: (entries: readonly JournalEntry[], signal: AbortSignal) => Promise<boolean>;
};

/** For steps that change nothing which outlives them. */
export const nothingToUndo: ProvisionStep['undo'] = () => Promise.resolve(null);
