import { Trash2 } from 'lucide-react';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import type { Host } from '#shared/contract.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Field, TextInput } from '../../design/field.tsx';
import { Card, CardHeader } from '../../design/surface.tsx';
import { isAway } from '../../lib/host-view.ts';
import { startAndShow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { PAGE_SCOPE } from '../../state/page-prompts.ts';

/** Takes off exactly what provisioning put on. */
export function RemoveCard({ host }: { readonly host: Host }): ReactNode {
  const [asking, setAsking] = useState(false);
  const running = host.facts?.capacity.running ?? 0;
  const where = host.kind === 'local' ? 'this computer' : host.name;
  return (
    <Card>
      <CardHeader
        title={`Remove Vessel from ${where}`}
        description={running > 0 ? 'Close the running environments first.' : `Takes away exactly what the journal says Vessel added: packages, image, templates. Your projects stay${host.kind === 'local' ? '' : ', and so does the host in your list'}.`}
        aside={<Button variant="danger" icon={<Trash2 size={15} />} disabled={running > 0 || host.activeOperationId !== null || isAway(host)} onClick={() => setAsking(true)} data-testid="unprovision">Remove…</Button>}
      />
      {asking && <RemoveDialog host={host} onClose={() => setAsking(false)} />}
    </Card>
  );
}

function RemoveDialog({ host, onClose }: { readonly host: Host; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const form = useId();
  const [typed, setTyped] = useState('');
  const remove = (event: FormEvent): void => {
    event.preventDefault();
    if (typed !== host.id) return;
    onClose();
    void startAndShow(() => client.call('hosts.unprovision', { hostId: host.id, promptScope: PAGE_SCOPE }));
  };
  return (
    <Dialog
      title={`Remove Vessel's parts from ${host.kind === 'local' ? 'this computer' : host.name}?`} width="narrow" onClose={onClose} testId="unprovision-dialog"
      footer={<><Button onClick={onClose}>Keep them</Button><Button type="submit" form={form} variant="danger" disabled={typed !== host.id} data-testid="confirm-unprovision">Remove</Button></>}
    >
      <form id={form} onSubmit={remove} className="flex flex-col gap-4">
        <p>The golden image and its templates have to be built again before the next environment can open. Your projects and their revisions are not touched.</p>
        <Field label={`Type ${host.id} to confirm`}>{(ids) => <TextInput {...ids} data-autofocus="" className="font-mono" value={typed} onChange={(event) => setTyped(event.target.value)} data-testid="unprovision-confirm" />}</Field>
      </form>
    </Dialog>
  );
}
