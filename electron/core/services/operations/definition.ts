import type { VesselError } from '#shared/errors.ts';
import type { LogLine, Operation, Step } from '#shared/operation.ts';
import type { OperationRequest } from '../../ports/store.ts';

/** What a step may do besides its work. */
export type StepContext<S> = {
  readonly operationId: string;
  /** Aborts when the operation is cancelled or Vessel closes; the reason is a VesselError. */
  readonly signal: AbortSignal;
  readonly state: S;
  log(text: string, level?: LogLine['level']): void;
  /** 0–1 inside this step; `detail` says what is happening. */
  progress(fraction: number, detail?: string): void;
  /** Shows a foreign step list (the host's provisioning) instead of the own one. */
  showSteps(steps: readonly Step[]): void;
};

/** One step as data. */
export type StepDefinition<S> = {
  readonly id: string;
  readonly title: string;
  /** Share of the whole; take measured milliseconds where known. */
  readonly weight: number;
  /** Runs together with the step before it. */
  readonly together?: boolean;
  /** False skips the step: its work is found done. */
  readonly needed?: (state: S) => boolean;
  /** The returned text becomes the step's evidence. Must be idempotent: a retry runs it again. */
  readonly run: (context: StepContext<S>) => Promise<string | void>;
};

export type OperationDefinition<S> = {
  readonly kind: Operation['kind'];
  readonly title: string;
  readonly projectId: string | null;
  readonly hostId: string | null;
  readonly cancellable: boolean;
  /** What Retry calls; null when it cannot be repeated. */
  readonly request: OperationRequest;
  readonly state: S;
  readonly steps: readonly StepDefinition<S>[];
  readonly result: (state: S) => unknown;
  /** False: runs beside the project's other operation (an `open` of what is open already). */
  readonly exclusive?: boolean;
  /** An operation of the same project that this one waits for instead of being refused. */
  readonly after?: string | null;
  /**
   * Brings things into a clean state after a failure or cancel, before the operation ends. Not called when Vessel closes.
   * May return what the failure turned out to be.
   */
  readonly onFailure?: (error: VesselError, context: Pick<StepContext<S>, 'log' | 'state' | 'operationId'>) => Promise<VesselError | void>;
};

/** Names a crash point: `save.verify.before`. */
export function faultPoint(kind: Operation['kind'], stepId: string, when: 'before' | 'after'): string {
  return `${kind}.${stepId}.${when}`;
}
