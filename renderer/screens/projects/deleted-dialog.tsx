import { RotateCcw, Trash2 } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { formatBytes, formatCount, formatDate } from '../../lib/format.ts';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useCall } from '../../state/use-call.ts';
import { TimeAgo } from './time-ago.tsx';

/** How long core keeps what was deleted. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

export function DeletedDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const { loaded, reload } = useCall((signal) => client.call('projects.list', { includeDeleted: true }, { signal }), 'deleted');
  const deleted = (loaded.value?.projects ?? []).filter((project) => project.deletedAt !== null).toSorted((a, b) => (b.deletedAt ?? 0) - (a.deletedAt ?? 0));
  const bringBack = async (projectId: string, name: string): Promise<void> => {
    if (await attempt(() => client.call('projects.undelete', { projectId }), `${name} is back`)) reload();
  };
  return (
    <Dialog title="Deleted projects" description="Kept whole for 30 days, with every revision." onClose={onClose} testId="deleted-dialog">
      {loaded.state === 'failed' && <ErrorPanel error={loaded.error} onRetry={reload} />}
      {loaded.state === 'ready' && deleted.length === 0 && <p className="flex flex-col items-center gap-3 py-10 text-ink-soft"><Trash2 aria-hidden="true" size={22} />Nothing was deleted.</p>}
      <ul className="divide-y divide-line">
        {deleted.map((project) => (
          <li key={project.id} className="flex items-center justify-between gap-4 py-3">
            <div className="min-w-0">
              <p className="truncate font-medium">{project.name}</p>
              <p className="truncate text-sm text-ink-soft">
                Deleted <TimeAgo at={project.deletedAt ?? 0} /> · deleted permanently on {formatDate((project.deletedAt ?? 0) + KEPT_MS)}
                {project.head !== null && ` · ${formatCount(project.head.files, 'file')}, ${formatBytes(project.head.bytes)}`}
              </p>
            </div>
            <Button icon={<RotateCcw size={14} />} onClick={() => void bringBack(project.id, project.name)} data-testid={`undelete-${project.id}`}>Restore</Button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
