import { expect, it } from 'vitest';
import type { Operation, Step } from '#shared/operation.ts';
import { currentStep, operationElapsed, slowestStep, stepBar, stepDuration } from './step-timing.ts';

const step = (id: string, state: Step['state'], startedAt: number | null, endedAt: number | null): Step =>
  ({ id, title: id, weight: 1, state, progress: 0, detail: '', startedAt, endedAt });
const operation = (steps: readonly Step[], endedAt: number | null): Operation => ({
  id: 'op', kind: 'open', title: 'Open', projectId: 'p', hostId: 'local', state: endedAt === null ? 'running' : 'succeeded',
  steps: [...steps], progress: 0, cancellable: true, startedAt: 1000, endedAt, lastSeq: 0, result: null, error: null,
});

it('counts a running step up to now and an ended one to its end', () => {
  expect(stepDuration(step('a', 'running', 1000, null), 1300)).toBe(300);
  expect(stepDuration(step('a', 'done', 1000, 1200), 9999)).toBe(200);
  expect(stepDuration(step('a', 'pending', null, null), 9999)).toBeNull();
});

it('never shows a negative time when the clock of the page is behind', () => {
  expect(stepDuration(step('a', 'running', 1000, null), 900)).toBe(0);
  expect(operationElapsed(operation([], null), 500)).toBe(0);
});

it('places the bars of the waterfall inside the whole', () => {
  const steps = [step('a', 'done', 1000, 1250), step('b', 'done', 1250, 2000), step('c', 'pending', null, null)];
  const whole = operation(steps, 2000);
  expect(steps.map((item) => stepBar(item, whole, 5000))).toEqual([{ left: 0, width: 0.25 }, { left: 0.25, width: 0.75 }, null]);
  const late = stepBar(step('d', 'running', 1900, null), whole, 9000);
  expect((late?.left ?? 0) + (late?.width ?? 0)).toBeLessThanOrEqual(1);
});

it('points at the running step, then at the failed one, then at the last done', () => {
  const done = step('a', 'done', 1, 2);
  expect(currentStep(operation([done, step('b', 'running', 2, null)], null))?.id).toBe('b');
  expect(currentStep(operation([done, step('b', 'failed', 2, 3), step('c', 'pending', null, null)], 3))?.id).toBe('b');
  expect(currentStep(operation([done, step('c', 'skipped', null, null)], 3))?.id).toBe('a');
  expect(slowestStep(operation([done, step('b', 'done', 2, 9)], 9))?.id).toBe('b');
});
