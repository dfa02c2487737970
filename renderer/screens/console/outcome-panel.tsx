import { ArrowLeft, Play } from 'lucide-react';
import type { ReactNode } from 'react';
import { FsckReportSchema } from '#shared/archive-contract.ts';
import { OpenResultSchema, SaveResultSchema } from '#shared/contract.ts';
import type { Operation } from '#shared/operation.ts';
import { Button } from '../../design/button.tsx';
import { formatDuration } from '../../lib/format.ts';
import { operationElapsed } from '../../lib/step-timing.ts';
import { openProject, retryOperation } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { Failure } from './failure.tsx';
import { FsckReportView } from './fsck-report.tsx';
import { SaveProof } from './save-proof.tsx';
import { UnprovisionedSchema, UnprovisionProof } from './unprovision-proof.tsx';

/** How it ended: the totals, the proof of a save, or the failure with its way on. */
export function OutcomePanel({ operation }: { readonly operation: Operation }): ReactNode {
  const client = useClient();
  const project = useStore((state) => (operation.projectId === null ? undefined : state.projects[operation.projectId]));
  const back = (): void => navigate(operation.kind === 'provision' || operation.kind === 'unprovision' ? { screen: 'host', hostId: operation.hostId ?? 'local' } : { screen: 'projects', panel: 'none' });
  const backButton = <Button variant="terminal" icon={<ArrowLeft size={14} />} onClick={back} data-testid="done-back" autoFocus={operation.state === 'succeeded'}>Back</Button>;
  // A save that failed keeps the environment: the work goes on where it was.
  const resumeButton = project?.environment?.state === 'running' && <Button variant="terminal" icon={<Play size={14} />} onClick={() => void openProject(client, project)} data-testid="back-to-ide">Back to VS Code</Button>;
  switch (operation.state) {
    case 'running': return null;
    case 'failed': return operation.error === null ? backButton : <Failure operation={operation} error={operation.error} onRetry={() => void retryOperation(client, operation.id)} back={<>{resumeButton}{backButton}</>} />;
    case 'cancelled':
      return (
        <div className="flex flex-col items-start gap-3 border-b border-term-line pb-4">
          <p className="text-term-amber">Cancelled after {formatDuration(operationElapsed(operation, 0))}. What was begun has been undone.</p>
          <div className="flex gap-2"><Button variant="terminal" onClick={() => void retryOperation(client, operation.id)} data-testid="retry">Start again</Button>{backButton}</div>
        </div>
      );
    case 'succeeded': return <Success operation={operation} backButton={backButton} />;
    default: return operation.state satisfies never;
  }
}

function Success({ operation, backButton }: { readonly operation: Operation; readonly backButton: ReactNode }): ReactNode {
  const client = useClient();
  const project = useStore((state) => (operation.projectId === null ? undefined : state.projects[operation.projectId]));
  const saved = SaveResultSchema.safeParse(operation.result);
  const unprovisioned = operation.kind === 'unprovision' ? UnprovisionedSchema.safeParse(operation.result) : undefined;
  const checked = FsckReportSchema.safeParse(operation.result);
  return (
    <div className="flex flex-col items-start gap-4 border-b border-term-line pb-4" data-testid="outcome">
      <p className="text-lg text-term-green" data-testid="totals">{totals(operation)}</p>
      {saved.success && <SaveProof result={saved.data} ended={operation.kind === 'close' || operation.kind === 'rescue'} readBack={saved.data.changed || operation.steps.some(({ id, state }) => id === 'verify' && state === 'done')} />}
      {unprovisioned?.success === true && <UnprovisionProof result={unprovisioned.data} />}
      {checked.success && <FsckReportView report={checked.data} />}
      <div className="flex gap-2">
        {backButton}
        {project !== undefined && project.deletedAt === null && operation.kind !== 'save' && (
          <Button variant="terminal" icon={<Play size={14} />} onClick={() => void openProject(client, project)} data-testid="open-again">{project.environment?.state === 'running' ? 'Resume' : 'Open'}</Button>
        )}
      </div>
    </div>
  );
}

/** `ready in 0.84 s, cloned from template`. */
export function totals(operation: Operation): string {
  const opened = OpenResultSchema.safeParse(operation.result);
  if (operation.kind === 'open' && opened.success) {
    return `ready in ${formatDuration(opened.data.totalMs)}, ${opened.data.startKind === 'clone' ? 'cloned from template' : 'booted cold'}`;
  }
  return `done in ${formatDuration(operationElapsed(operation, 0))}`;
}
