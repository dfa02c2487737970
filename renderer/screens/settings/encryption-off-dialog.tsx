import { type ReactNode, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Checkbox } from '../../design/field.tsx';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';

/** Turns encryption off for what comes, and if that is wanted for what is there. */
export function TurnOffDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const [decrypt, setDecrypt] = useState(false);
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    const done = await attempt(async () => {
      const { operationId } = await client.call('encryption.turnOff', { decrypt });
      if (operationId !== null) navigate({ screen: 'console', operationId });
    }, decrypt ? undefined : 'New archives go to the cloud unencrypted from now on');
    if (done) onClose();
    else setBusy(false);
  };
  return (
    <Dialog
      title="Turn encryption off?" width="narrow" onClose={onClose} testId="encryption-off-dialog"
      footer={<>
        <Button onClick={onClose}>Keep it on</Button>
        <Button variant="danger" disabled={busy} onClick={() => void submit()} data-testid="encryption-off-confirm">Turn off</Button>
      </>}
    >
      <div className="flex flex-col gap-4">
        <p>From now on, the people who run the cloud can read what is sent there. What is encrypted already stays so, and readable on your computers.</p>
        <Checkbox checked={decrypt} onChecked={setDecrypt} label="Decrypt what is there as well" hint="Each archive is sent again, readable. It can be stopped and goes on later." testId="encryption-decrypt" />
      </div>
    </Dialog>
  );
}
