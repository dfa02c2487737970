import { Scissors } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { Project } from '#shared/project.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { formatBytes, formatCount } from '../../lib/format.ts';
import { projectStatus } from '../../lib/project-status.ts';
import { useClient } from '../../state/client-context.ts';
import { useCall } from '../../state/use-call.ts';
import { PrunePanel } from './prune-panel.tsx';
import { RevisionItem } from './revision-item.tsx';

/** Every revision of a project, newest first: each a whole, verified copy. */
export function HistoryDrawer({ project, onClose }: { readonly project: Project; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const [pruning, setPruning] = useState(false);
  const { loaded, reload } = useCall((signal) => client.call('history.list', { projectId: project.id }, { signal }), `${project.id}/${project.head?.rev ?? 0}`);
  const revisions = (loaded.value?.revisions ?? []).toSorted((a, b) => b.rev - a.rev);
  const status = projectStatus(project);
  const restoreHint = status.alive || project.activeOperationId !== null ? 'Stop the environment to restore' : null;
  return (
    <Dialog
      kind="drawer" width="medium" title={`History of ${project.name}`} onClose={onClose} testId="history"
      description={loaded.value === null ? 'Loading…' : `${formatCount(revisions.length, 'revision')} · ${formatBytes(loaded.value.totalBytes)} in cold storage`}
      footer={<Button icon={<Scissors size={14} />} disabled={revisions.length < 2} aria-expanded={pruning} onClick={() => setPruning(!pruning)} data-testid="prune">Prune…</Button>}
    >
      {loaded.state === 'failed' && <ErrorPanel error={loaded.error} onRetry={reload} />}
      {pruning && <PrunePanel projectId={project.id} revisions={revisions} onDone={() => { setPruning(false); reload(); }} />}
      {restoreHint !== null && <p className="mb-4 rounded-md bg-sunken px-3 py-2 text-sm text-ink-soft">{restoreHint}.</p>}
      <ol className="relative flex flex-col" aria-label="Revisions">
        {revisions.map((revision, index) => (
          <RevisionItem key={revision.rev} revision={revision} current={revision.rev === project.head?.rev} last={index === revisions.length - 1} previous={revisions[index + 1]?.rev ?? null} restoreHint={restoreHint} onVerified={reload} />
        ))}
      </ol>
      {loaded.state === 'ready' && revisions.length === 0 && <p className="py-10 text-center text-ink-soft">Nothing has been saved yet.</p>}
    </Dialog>
  );
}
