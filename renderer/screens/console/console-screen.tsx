import { ArrowLeft, Ban } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import type { Operation } from '#shared/operation.ts';
import { Button } from '../../design/button.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { Progress } from '../../design/progress.tsx';
import { formatDuration, formatPercent } from '../../lib/format.ts';
import { currentStep, operationElapsed } from '../../lib/step-timing.ts';
import { cancelOperation } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate, replaceRoute } from '../../state/navigate.ts';
import { useLiveNow } from '../../state/use-live-now.ts';
import { useStore } from '../../state/store.ts';
import { LogView } from './log-view.tsx';
import { OutcomePanel } from './outcome-panel.tsx';
import { StepList } from './step-list.tsx';
import { useOperation } from './use-operation.ts';

/** The boot console: what is being done, how long each part takes, and every word of its log. */
export function ConsoleScreen({ operationId }: { readonly operationId: string }): ReactNode {
  const client = useClient();
  const { operation, lines, error, sawRunning } = useOperation(operationId);
  const projectId = operation?.projectId ?? null;
  const project = useStore((state) => (projectId === null ? undefined : state.projects[projectId]));
  const running = operation?.state === 'running';
  const now = useLiveNow(running);

  const goesOn = operation !== null && operation.kind === 'open' && operation.state === 'succeeded' && sawRunning;
  useEffect(() => { if (goesOn && projectId !== null) replaceRoute({ screen: 'ide', projectId }); }, [goesOn, projectId]);

  return (
    <main id="main" tabIndex={-1} data-testid="console" className="term flex h-full flex-col outline-none">
      <header className="flex h-14 shrink-0 items-center gap-4 border-b border-term-line px-6">
        <Button variant="terminal" size="small" icon={<ArrowLeft size={14} />} onClick={() => navigate({ screen: 'projects', panel: 'none' })} data-testid="back">Projects</Button>
        <h1 className="min-w-0 flex-1 truncate text-base">
          <span className="text-term-dim">vessel </span><span className="text-term-green">{operation?.kind ?? '…'}</span>
          <span className="text-term-bright"> {project?.name ?? operation?.projectId ?? operation?.hostId ?? ''}</span>
        </h1>
        {operation !== null && <span className="tabular text-lg text-term-bright" data-testid="elapsed">{formatDuration(operationElapsed(operation, now))}</span>}
        {running && operation.cancellable && <Button variant="terminal" size="small" icon={<Ban size={14} />} onClick={() => void cancelOperation(client, operationId)} data-testid="cancel">Cancel</Button>}
      </header>
      {error !== null && <div className="mx-auto w-full max-w-3xl p-8 font-sans"><ErrorPanel error={error} /></div>}
      {operation !== null && (
        <>
          <div className="flex shrink-0 items-center gap-4 px-6 pt-4">
            <Progress value={operation.progress} label={operation.title} tone={operation.state === 'failed' ? 'terminal-bad' : 'terminal'} className="flex-1" />
            <span className="tabular w-11 text-right text-sm text-term-bright">{formatPercent(operation.progress)}</span>
          </div>
          <p className="sr-only" role="status" aria-live="polite">{announce(operation)}</p>
          <div className="grid min-h-0 flex-1 grid-cols-1 gap-6 p-6 pt-4 lg:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
            <div className="flex min-h-0 flex-col gap-4 overflow-y-auto pr-1">
              {/* A save has eight steps: its proof must not be below the fold. */}
              <OutcomePanel operation={operation} />
              <StepList operation={operation} now={now} />
            </div>
            <LogView lines={lines} running={operation.state === 'running'} />
          </div>
        </>
      )}
    </main>
  );
}

/** One sentence a step for screen readers: not a stream of percentages. */
function announce(operation: Operation): string {
  switch (operation.state) {
    case 'running': return currentStep(operation)?.title ?? operation.title;
    case 'succeeded': return `${operation.title}: done in ${formatDuration(operationElapsed(operation, 0))}`;
    case 'failed': return `${operation.title} failed: ${operation.error?.message ?? ''}`;
    case 'cancelled': return `${operation.title} was cancelled`;
    default: return operation.state satisfies never;
  }
}
