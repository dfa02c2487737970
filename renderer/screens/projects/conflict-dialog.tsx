import { Diff } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { attempt, startAndShow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { TimeAgo } from './time-ago.tsx';

/** Two computers saved from the same revision: both saves are kept, and a person says which one goes on. */
export function ConflictDialog({ projectId, onClose }: { readonly projectId: string; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const project = useStore((state) => state.projects[projectId]);
  const [busy, setBusy] = useState(false);
  const conflict = project?.sync?.conflict ?? null;
  if (project === undefined || conflict === null) return null;
  const { ours, theirs } = conflict;
  const running = project.environment?.state === 'running';
  const keepTheirs = async (): Promise<void> => {
    setBusy(true);
    if (await attempt(async () => { await client.call('sync.resolve', { projectId, keep: 'theirs' }); }, `${project.name} goes on from the other save; yours stays in its history`)) onClose();
    else setBusy(false);
  };
  const keepMine = (): void => {
    onClose();
    void startAndShow(async () => {
      const { operationId } = await client.call('sync.resolve', { projectId, keep: 'mine' });
      return { operationId: operationId ?? '' };
    });
  };
  return (
    <Dialog
      title={`${project.name} was saved on two computers`} onClose={onClose} testId="conflict-dialog"
      footer={<>
        <Button icon={<Diff size={15} />} disabled={theirs === null} data-testid="conflict-compare" onClick={() => { if (theirs === null) return; onClose(); navigate({ screen: 'diff', projectId, from: theirs, to: ours }); }}>Compare</Button>
        <Button disabled={busy} data-testid="keep-theirs" onClick={() => void keepTheirs()}>Keep the other one</Button>
        <Button variant="primary" disabled={busy || theirs === null || running} data-testid="keep-mine" onClick={keepMine}>Keep mine</Button>
      </>}
    >
      <div className="flex flex-col gap-3">
        <p>Both began from the same revision, so neither knows of the other. Both are whole and stay in the history; choose which one goes on.</p>
        <ul className="list-inside list-disc text-ink-soft">
          <li>Revision {ours}, of this computer, saved <TimeAgo at={conflict.at} /> and kept as “{conflict.branch}”</li>
          <li>{theirs === null ? 'The save of the other computer, which has not come down yet' : `Revision ${theirs}, of the other computer, which is the current one`}</li>
        </ul>
        {running && <p className="text-warn">The project is open. Save &amp; Exit first to keep yours.</p>}
      </div>
    </Dialog>
  );
}
