import type { ReactNode } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { formatDateTime } from '../../lib/format.ts';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';

/** Another computer has the project open: says since when, and takes it over when a person wants that. */
export function TakeOverDialog({ projectId, onClose }: { readonly projectId: string; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const project = useStore((state) => state.projects[projectId]);
  const lease = project?.sync?.lease ?? null;
  if (project === undefined || lease === null) return null;
  const takeOver = async (): Promise<void> => {
    if (await attempt(async () => { await client.call('sync.takeOver', { projectId }); }, `${project.name} is this computer's now`)) onClose();
  };
  return (
    <Dialog
      title={`Take over ${project.name}?`} width="narrow" onClose={onClose} testId="take-over-dialog"
      footer={<><Button onClick={onClose}>Leave it there</Button><Button variant="primary" data-testid="take-over" onClick={() => void takeOver()}>Take it over</Button></>}
    >
      <p>It is open on {lease.device} since {formatDateTime(lease.since)}. When both save, both saves are kept and one of them has to be chosen.</p>
    </Dialog>
  );
}
