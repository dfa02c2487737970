import { breakIfAsked } from '../system/fault.ts';
import type { StageTiming, WorkContext } from './driver.ts';

export type MeasuredContext = WorkContext & { readonly timings: () => readonly StageTiming[] };

/** A context that measures its stages (milliseconds, in order) and tells `report` about each. */
export function measuredContext(options: {
  readonly signal: AbortSignal;
  readonly report: (stage: string) => void;
  readonly log: WorkContext['log'];
}): MeasuredContext {
  const marks: { readonly stage: string; readonly at: number }[] = [];
  return {
    signal: options.signal,
    log: options.log,
    stage(name) {
      breakIfAsked(name);
      marks.push({ stage: name, at: performance.now() });
      options.report(name);
    },
    timings() {
      const now = performance.now();
      return marks.map((mark, index) => ({ stage: mark.stage, ms: Math.round(((marks[index + 1]?.at ?? now) - mark.at) * 10) / 10 }));
    },
  };
}
