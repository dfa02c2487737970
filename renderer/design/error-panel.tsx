import { Lightbulb, RotateCcw, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import type { ErrorShape } from '#shared/errors.ts';
import { evidenceOf } from '../lib/evidence.ts';
import { errorTitle } from '../state/store.ts';
import { Button } from './button.tsx';

/** A failure in full: what, why, the fix, the facts, the last lines of the log, and the way on. */
export function ErrorPanel({ error, onRetry, actions }: { readonly error: ErrorShape; readonly onRetry?: (() => void) | undefined; readonly actions?: ReactNode }): ReactNode {
  const evidence = evidenceOf(error.details);
  return (
    <div role="alert" data-testid="error-panel" className="rounded-lg border border-bad/35 bg-bad-soft p-4 text-ink">
      <div className="flex items-start gap-3">
        <TriangleAlert aria-hidden="true" size={18} className="mt-0.5 shrink-0 text-bad" />
        <div className="min-w-0 flex-1">
          <p className="flex flex-wrap items-baseline gap-x-2 font-semibold text-bad">{errorTitle(error)} <code className="font-mono text-xs font-medium" data-testid="error-code">{error.code}</code></p>
          {error.message !== errorTitle(error) && <p className="mt-1 break-words">{error.message}</p>}
          <p className="mt-2 flex items-start gap-2"><Lightbulb aria-hidden="true" size={15} className="mt-1 shrink-0 text-warn" /><span>{error.hint}</span></p>
          {evidence.length > 0 && (
            <dl data-testid="error-evidence" className="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-0.5 text-sm">
              {evidence.map(({ name, value }) => (
                <div key={name} className="contents"><dt className="text-ink-soft">{name}</dt><dd className="min-w-0 font-mono break-words">{value}</dd></div>
              ))}
            </dl>
          )}
          {error.logTail.length > 0 && (
            <pre tabIndex={0} aria-label="Last lines of the log" className="term mt-3 max-h-48 overflow-auto rounded-md p-3 text-xs leading-relaxed whitespace-pre-wrap">{error.logTail.join('\n')}</pre>
          )}
          {(onRetry !== undefined || actions !== undefined) && (
            <div className="mt-3 flex flex-wrap gap-2">
              {onRetry !== undefined && <Button size="small" variant="primary" icon={<RotateCcw size={14} />} onClick={onRetry} data-testid="retry">Retry</Button>}
              {actions}
            </div>
          )}
        </div>
      </div>
    </div>
  );
}
