import { type ReactNode, useState } from 'react';
import type { Project } from '#shared/project.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';

export function DeleteDialog({ project, onClose }: { readonly project: Project; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const [busy, setBusy] = useState(false);
  const remove = async (): Promise<void> => {
    setBusy(true);
    if (await attempt(() => client.call('projects.delete', { projectId: project.id }), `${project.name} was deleted. It can be brought back for 30 days.`)) onClose();
    else setBusy(false);
  };
  return (
    <Dialog
      title={`Delete ${project.name}?`} width="narrow" onClose={onClose} testId="delete-dialog"
      footer={<><Button onClick={onClose} data-autofocus="">Keep it</Button><Button variant="danger" disabled={busy} onClick={() => void remove()} data-testid="confirm-delete">Delete</Button></>}
    >
      <p>Every saved revision stays for 30 days under “Deleted”, where the project can be brought back whole.</p>
    </Dialog>
  );
}
