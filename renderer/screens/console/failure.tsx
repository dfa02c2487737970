import { HardDrive, Lightbulb, PlugZap, RotateCcw } from 'lucide-react';
import type { ReactNode } from 'react';
import type { ErrorCode, ErrorShape } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import { Button } from '../../design/button.tsx';
import { evidenceOf } from '../../lib/evidence.ts';
import { isAway } from '../../lib/host-view.ts';
import { navigate } from '../../state/navigate.ts';
import { errorTitle, useStore } from '../../state/store.ts';

/** Failures that setting the host up settles. */
const SETUP_HELPS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['HOST_NOT_READY', 'IMAGE_MISSING']);

/** A failure in the console's own colours: the code, the evidence, the fix, Retry. */
export function Failure({ operation, error, onRetry, back }: { readonly operation: Operation; readonly error: ErrorShape; readonly onRetry: () => void; readonly back: ReactNode }): ReactNode {
  const host = useStore((state) => (operation.hostId === null ? undefined : state.hosts[operation.hostId]));
  const setModal = useStore((state) => state.setModal);
  const failed = operation.steps.find((step) => step.state === 'failed');
  const evidence = evidenceOf(error.details);
  return (
    <div role="alert" data-testid="error-panel" className="flex flex-col gap-3 rounded-lg border border-term-red/40 bg-term-panel p-4">
      <p className="text-lg text-term-red"><span data-testid="error-code">{error.code}</span></p>
      <div>
        <p className="text-term-bright">{error.message}</p>
        {error.message !== errorTitle(error) && <p className="text-sm text-term-dim">{errorTitle(error)}{failed === undefined ? '' : ` · at “${failed.title}”`}</p>}
      </div>
      <p className="flex items-start gap-2 text-term-amber" data-testid="error-hint"><Lightbulb aria-hidden="true" size={15} className="mt-1 shrink-0" /><span>{error.hint}</span></p>
      {evidence.length > 0 && (
        <dl className="grid grid-cols-[auto_1fr] gap-x-4 text-xs">
          {evidence.map(({ name, value }) => <div key={name} className="contents"><dt className="text-term-dim">{name}</dt><dd className="min-w-0 break-words">{value}</dd></div>)}
        </dl>
      )}
      {/* Reversed, so that it shows its end first: there it failed. */}
      {error.logTail.length > 0 && <pre tabIndex={0} aria-label="Evidence: last lines of the log" data-testid="log-tail" className="flex max-h-32 flex-col-reverse overflow-auto border-l-2 border-term-red/60 pl-3 text-xs leading-5 whitespace-pre-wrap"><code>{error.logTail.join('\n')}</code></pre>}
      <div className="flex gap-2">
        <Button variant="terminal" icon={<RotateCcw size={14} />} onClick={onRetry} autoFocus data-testid="retry">Retry</Button>
        {host !== undefined && SETUP_HELPS.has(error.code) && <Button variant="terminal" icon={<HardDrive size={14} />} onClick={() => navigate({ screen: 'host', hostId: host.id })} data-testid="failure-set-up">Set up {host.kind === 'local' ? 'this computer' : host.name}</Button>}
        {/* What stands in the way is the line to the host: a person can settle that here, then Retry. */}
        {host !== undefined && isAway(host) && <Button variant="terminal" icon={<PlugZap size={14} />} onClick={() => setModal({ kind: 'connect', hostId: host.id })} data-testid="failure-connect">Connect to {host.name}…</Button>}
        {back}
      </div>
      {!error.retryable && <p className="text-xs text-term-dim">Retry helps only after the fix above.</p>}
    </div>
  );
}
