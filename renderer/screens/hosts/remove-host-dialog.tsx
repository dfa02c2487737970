import { type ReactNode, useState } from 'react';
import type { ErrorShape } from '#shared/errors.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { formatCount } from '../../lib/format.ts';
import { projectsOn } from '../../lib/host-view.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate, stillHere } from '../../state/navigate.ts';
import { toShape, useStore } from '../../state/store.ts';

/** More than this is a list to look at on the projects' own screen. */
const NAMED = 5;

/** Forgetting a host is not cleaning it: the dialog says what stays there, and what still holds it. */
export function RemoveHostDialog({ hostId, onClose }: { readonly hostId: string; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const host = useStore((state) => state.hosts[hostId]);
  const projects = useStore((state) => state.projects);
  const [error, setError] = useState<ErrorShape | null>(null);
  const [busy, setBusy] = useState(false);
  const held = projectsOn(hostId, projects);
  const name = host?.name ?? hostId;
  const remove = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    const here = stillHere();
    try {
      await client.call('hosts.remove', { hostId });
      useStore.getState().toast('ok', `${name} was removed`);
      onClose();
      if (here()) navigate({ screen: 'hosts', panel: 'none' });
    } catch (caught) {
      setError(toShape(caught));
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={`Remove ${name}?`} width="narrow" onClose={onClose} testId="remove-host-dialog"
      footer={<><Button onClick={onClose} data-autofocus="">Keep it</Button><Button variant="danger" disabled={busy || held.length > 0} onClick={() => void remove()} data-testid="confirm-remove-host">Remove</Button></>}
    >
      <div className="flex flex-col gap-4">
        {held.length === 0
          ? <p>Vessel forgets its address, its confirmed key and what you let it keep of your passwords.</p>
          : (
            <div data-testid="remove-held">
              <p>{formatCount(held.length, 'project is', 'projects are')} still on it. Move them to another host or delete them first:</p>
              <ul className="mt-2 list-inside list-disc">{held.slice(0, NAMED).map((project) => <li key={project.id} className="truncate font-medium">{project.name}</li>)}</ul>
              {held.length > NAMED && <p className="mt-1 text-ink-soft">and {formatCount(held.length - NAMED, 'more', 'more')}</p>}
            </div>
          )}
        {held.length === 0 && host?.status === 'ready' && <p className="rounded-md bg-warn-soft px-3 py-2 text-sm text-ink"><strong className="font-semibold text-warn">What Vessel installed there stays.</strong> To take it off as well, use “Remove” on the page of the host first.</p>}
        {error !== null && <ErrorPanel error={error} />}
      </div>
    </Dialog>
  );
}
