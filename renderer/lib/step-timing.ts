import type { Operation, Step } from '#shared/operation.ts';

/** Milliseconds a step has taken, or is taking at `now`; null before it started. */
export function stepDuration(step: Step, now: number): number | null {
  if (step.startedAt === null) return null;
  return Math.max(0, (step.endedAt ?? now) - step.startedAt);
}

/** Milliseconds from the call to the end, or to `now` while it runs. */
export function operationElapsed(operation: Operation, now: number): number {
  return Math.max(0, (operation.endedAt ?? now) - operation.startedAt);
}

export type StepBar = { readonly left: number; readonly width: number };

/** Where a step lies within the operation's time, as shares 0–1, for the waterfall; null before it started. */
export function stepBar(step: Step, operation: Operation, now: number): StepBar | null {
  const duration = stepDuration(step, now);
  const total = operationElapsed(operation, now);
  if (duration === null || step.startedAt === null || total === 0) return null;
  const left = Math.min(1, Math.max(0, (step.startedAt - operation.startedAt) / total));
  return { left, width: Math.min(1 - left, duration / total) };
}

/** The step that people should look at: the running one, else the failed one, else the last that did something. */
export function currentStep(operation: Operation): Step | null {
  return operation.steps.find((step) => step.state === 'running')
    ?? operation.steps.find((step) => step.state === 'failed')
    ?? operation.steps.findLast((step) => step.state === 'done') ?? null;
}

/** The slowest finished step; null when none has finished. */
export function slowestStep(operation: Operation): Step | null {
  let slowest: Step | null = null;
  for (const step of operation.steps) {
    if (step.endedAt === null || step.startedAt === null) continue;
    if (slowest === null || (stepDuration(step, 0) ?? 0) > (stepDuration(slowest, 0) ?? 0)) slowest = step;
  }
  return slowest;
}
