import { VesselError } from '#shared/errors.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { faultPoint, type OperationDefinition, type StepContext, type StepDefinition } from './definition.ts';
import type { LiveOperation } from './live-operation.ts';

/** Runs the steps in order, those marked `together` at once. Throws the first failure after its group has settled. */
export async function runSteps<S>(definition: OperationDefinition<S>, live: LiveOperation, runtime: Runtime): Promise<void> {
  for (const group of groupsOf(definition.steps)) {
    throwIfAborted(live.abort.signal);
    // A failure of one stops its companions, so that none is left working behind the operation's back.
    const groupAbort = new AbortController();
    const signal = AbortSignal.any([live.abort.signal, groupAbort.signal]);
    const settled = await Promise.allSettled(group.map(async (step) => {
      try {
        await runStep(step, definition, live, signal, runtime);
      } catch (error) {
        groupAbort.abort(new VesselError('CANCELLED', 'A step beside this one failed'));
        throw error;
      }
    }));
    throwIfAborted(live.abort.signal);
    const failures = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [VesselError.from(outcome.reason)] : []));
    const first = failures.find((error) => error.code !== 'CANCELLED') ?? failures[0];
    if (first !== undefined) throw first;
  }
}

async function runStep<S>(step: StepDefinition<S>, definition: OperationDefinition<S>, live: LiveOperation, signal: AbortSignal, runtime: Runtime): Promise<void> {
  if (step.needed?.(definition.state) === false) { live.stepEnded(step.id, 'skipped', undefined); return; }
  live.stepStarted(step.id);
  try {
    runtime.fault(faultPoint(definition.kind, step.id, 'before'));
    const evidence = await step.run(contextOf(step.id, definition.state, live, signal));
    runtime.fault(faultPoint(definition.kind, step.id, 'after'));
    // The log tells the whole story: somebody who reads only it knows what was found and done.
    live.log(step.id, 'info', evidence ? `${step.title}: ${evidence}` : step.title);
    live.stepEnded(step.id, 'done', evidence ?? undefined);
  } catch (error) {
    const known = VesselError.from(error);
    live.log(step.id, known.code === 'CANCELLED' ? 'warn' : 'error', `${known.code}: ${known.message}`);
    live.stepEnded(step.id, known.code === 'CANCELLED' ? 'cancelled' : 'failed', known.message);
    throw known;
  }
}

function contextOf<S>(stepId: string, state: S, live: LiveOperation, signal: AbortSignal): StepContext<S> {
  return {
    operationId: live.id, signal, state,
    log: (text, level = 'info') => live.log(stepId, level, text),
    progress: (fraction, detail) => live.stepProgress(stepId, fraction, detail),
    showSteps: (steps) => live.showSteps(steps),
  };
}

function groupsOf<S>(steps: readonly StepDefinition<S>[]): readonly (readonly StepDefinition<S>[])[] {
  const groups: StepDefinition<S>[][] = [];
  for (const step of steps) {
    if (step.together === true && groups.length > 0) groups.at(-1)?.push(step);
    else groups.push([step]);
  }
  return groups;
}

/** Throws the abort's own reason, so that a closing Vessel is told from a cancel. */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw signal.reason instanceof VesselError ? signal.reason : new VesselError('CANCELLED');
}
