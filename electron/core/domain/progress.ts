import type { Step, StepState } from '#shared/operation.ts';

/** The weighted mean of the steps, 0–1; a step that ended counts whole, whatever its own progress said. */
export function overallProgress(steps: readonly Pick<Step, 'weight' | 'state' | 'progress'>[]): number {
  const total = steps.reduce((sum, step) => sum + step.weight, 0);
  if (total === 0) return 0;
  const done = steps.reduce((sum, step) => sum + step.weight * shareOf(step.state, step.progress), 0);
  return Math.min(1, Math.max(0, done / total));
}

function shareOf(state: StepState, progress: number): number {
  switch (state) {
    case 'done': case 'skipped': return 1;
    case 'pending': return 0;
    case 'running': case 'failed': case 'cancelled': return progress;
  }
}

/** A step that has not begun. */
export function pendingStep(definition: { readonly id: string; readonly title: string; readonly weight: number }): Step {
  return { id: definition.id, title: definition.title, weight: definition.weight, state: 'pending', progress: 0, detail: '', startedAt: null, endedAt: null };
}
