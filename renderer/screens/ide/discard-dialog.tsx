import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Field, TextInput } from '../../design/field.tsx';
import { startAndShow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';
import { TimeAgo } from '../projects/time-ago.tsx';

/** Throwing work away takes typing its name: a click is too easy. */
export function DiscardDialog({ projectId, onClose }: { readonly projectId: string; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const form = useId();
  const project = useStore((state) => state.projects[projectId]);
  const head = project?.head ?? null;
  const [typed, setTyped] = useState('');
  const discard = (event: FormEvent): void => {
    event.preventDefault();
    if (typed !== projectId) return;
    onClose();
    void startAndShow(() => client.call('environments.discard', { projectId, confirm: typed }));
  };
  return (
    <Dialog
      title="Discard & exit" width="narrow" onClose={onClose} testId="discard-dialog"
      footer={<><Button onClick={onClose}>Keep working</Button><Button type="submit" form={form} variant="danger" disabled={typed !== projectId} data-testid="confirm-discard">Discard &amp; exit</Button></>}
    >
      <form id={form} onSubmit={discard} className="flex flex-col gap-4">
        <p>
          The environment ends without a save. Everything since the last safe copy is lost
          {head === null ? ', and there is no safe copy.' : <>: revision {head.rev}, verified <TimeAgo at={head.verifiedAt} />.</>}
        </p>
        <Field label={`Type ${projectId} to confirm`}>{(ids) => <TextInput {...ids} data-autofocus="" className="font-mono" value={typed} onChange={(event) => setTyped(event.target.value)} data-testid="discard-confirm" />}</Field>
      </form>
    </Dialog>
  );
}
