import type { ReactNode } from 'react';
import type { Operation, Step, StepState } from '#shared/operation.ts';
import { classes } from '../../design/classes.ts';
import { formatDuration, formatPercent } from '../../lib/format.ts';
import { stepBar, stepDuration } from '../../lib/step-timing.ts';

const MARKS: Readonly<Record<StepState, { readonly text: string; readonly ink: string; readonly spoken: string }>> = {
  pending: { text: '      ', ink: 'text-term-dim', spoken: 'waiting' },
  running: { text: '  ··  ', ink: 'text-term-amber', spoken: 'running' },
  done: { text: '  OK  ', ink: 'text-term-green', spoken: 'done' },
  skipped: { text: ' SKIP ', ink: 'text-term-dim', spoken: 'skipped' },
  failed: { text: 'FAILED', ink: 'text-term-red', spoken: 'failed' },
  cancelled: { text: ' STOP ', ink: 'text-term-amber', spoken: 'cancelled' },
};

/** The steps as a boot log shows them, each with its time and its place in the whole (the thin bar). */
export function StepList({ operation, now }: { readonly operation: Operation; readonly now: number }): ReactNode {
  return (
    <ol aria-label="Steps" data-testid="steps" className="flex flex-col">
      {operation.steps.map((step) => <StepRow key={step.id} step={step} operation={operation} now={now} />)}
    </ol>
  );
}

function StepRow({ step, operation, now }: { readonly step: Step; readonly operation: Operation; readonly now: number }): ReactNode {
  const mark = MARKS[step.state];
  const duration = stepDuration(step, now);
  const bar = stepBar(step, operation, now);
  const quiet = step.state === 'pending' || step.state === 'skipped';
  return (
    <li data-testid={`step-${step.id}`} data-state={step.state} className="flex gap-3 py-1.5">
      <span className={classes('shrink-0 whitespace-pre', mark.ink, step.state === 'running' && 'animate-[vessel-breathe_1s_ease-in-out_1.5s_infinite]')} aria-hidden="true">[{mark.text}]</span>
      <div className="min-w-0 flex-1">
        <div className="flex items-baseline gap-3">
          <span className={classes('min-w-0 flex-1', quiet ? 'text-term-dim' : 'text-term-bright')}>{step.title}<span className="sr-only">: {mark.spoken}</span></span>
          {step.state === 'running' && step.progress > 0 && <span className="tabular shrink-0 text-sm text-term-text">{formatPercent(step.progress)}</span>}
          <span className={classes('tabular w-24 shrink-0 text-right', step.state === 'running' ? 'text-term-amber' : 'text-term-text')}>{duration === null ? '' : formatDuration(duration)}</span>
        </div>
        {step.detail !== '' && <p className={classes('text-xs break-words', step.state === 'failed' ? 'text-term-red' : 'text-term-dim')}>{step.detail}</p>}
        {bar !== null && (
          <div aria-hidden="true" className="mt-1 h-0.5 bg-term-line/60">
            <div className={classes('h-full', step.state === 'failed' ? 'bg-term-red' : step.state === 'running' ? 'bg-term-amber' : 'bg-term-green/80')} style={{ marginLeft: `${bar.left * 100}%`, width: `max(2px, ${bar.width * 100}%)` }} />
          </div>
        )}
      </div>
    </li>
  );
}
