import { LockKeyhole } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import type { EncryptionStatus } from '#shared/encryption-contract.ts';
import { Button } from '../../design/button.tsx';
import { Card, CardHeader } from '../../design/surface.tsx';
import { attempt, startAndShow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';
import { useCall } from '../../state/use-call.ts';
import { TurnOffDialog } from './encryption-off-dialog.tsx';
import { TurnOnDialog, type Begun } from './encryption-on-dialog.tsx';
import { UnlockForm } from './encryption-unlock.tsx';

/** Another computer may turn it on, and work on it goes on while one looks. */
const REFRESH_MS = 5_000;
const STATES: Readonly<Record<EncryptionStatus['state'], string>> = {
  unavailable: '',
  off: 'The people who run the cloud can read your archives there. Encrypted, only your computers can: names of projects, files and settings too.',
  on: 'Archives are encrypted before they leave this computer. What lies on this computer stays as it is.',
  locked: 'The archives in the cloud are encrypted, and their key is not on this computer. Nothing goes up or comes down until it is unlocked.',
  changed: 'The cloud says something else about your encryption than this computer knows. Nothing is uploaded until you choose.',
};
const WORDS = { encrypt: 'encrypted', decrypt: 'decrypted' } as const;
const STORES = { supabase: 'the cloud', s3: 'the bucket' } as const;

/** Whether archives in clouds are encrypted: turning it on and off, and unlocking it with the recovery phrase. */
export function EncryptionCard(): ReactNode {
  const client = useClient();
  const { loaded, reload } = useCall((signal) => client.call('encryption.status', {}, { signal }), 'encryption');
  const [begun, setBegun] = useState<Begun | null>(null);
  const [turningOff, setTurningOff] = useState(false);
  useEffect(() => {
    const timer = setInterval(reload, REFRESH_MS);
    return () => clearInterval(timer);
  }, [reload]);
  const status = loaded.value;
  if (status === null || status.state === 'unavailable') return null;
  const { state, unfinished, operationId } = status;
  const half = state === 'on' ? status.stores.filter((store) => store.state === 'off') : [];
  /** The phrase comes once: it lives in the dialog's state and nowhere else. */
  const begin = async (): Promise<void> => {
    await attempt(async () => {
      const answer = await client.call('encryption.begin', {});
      if (answer.phrase === null) await startAndShow(() => client.call('encryption.turnOn', { keyId: answer.keyId }));
      else setBegun({ ...answer, phrase: answer.phrase });
    });
  };
  return (
    <Card>
      <CardHeader
        title="Encryption" description={STATES[state]}
        aside={state === 'off' ? <Button icon={<LockKeyhole size={14} />} onClick={() => void begin()} data-testid="encryption-on">Turn on…</Button>
          : state === 'on' ? <Button onClick={() => setTurningOff(true)} data-testid="encryption-off">Turn off…</Button> : undefined}
      />
      <div className="flex flex-col gap-4 p-5 empty:hidden" data-testid="encryption" data-state={state}>
        {state === 'locked' && <UnlockForm locked={status.stores.reduce((sum, { lockedProjects }) => sum + lockedProjects, 0)} onUnlocked={reload} />}
        {state === 'changed' && (
          <div className="flex flex-col gap-3" role="alert" data-testid="encryption-changed">
            {status.stores.flatMap(({ store, state: at, error }) => (at === 'changed' && error !== null ? [<p key={store} className="text-warn">{error.message}</p>] : []))}
            <p>Did you turn encryption off or remove the data of the account on another computer? If not, keep it on: your key stays the same.</p>
            <div className="flex gap-2">
              <Button icon={<LockKeyhole size={14} />} onClick={() => void begin().then(reload)} data-testid="encryption-keep">Keep it on</Button>
              <Button onClick={() => setTurningOff(true)} data-testid="encryption-off">I turned it off…</Button>
            </div>
          </div>
        )}
        {half.map(({ store }) => (
          <div key={store} className="flex items-center justify-between gap-4">
            <p className="text-warn">{`Not for ${STORES[store]} yet.`}</p>
            <Button onClick={() => void begin()}>Turn on there too</Button>
          </div>
        ))}
        {unfinished !== null && (
          <div className="flex items-center justify-between gap-4" role="status">
            <p className="text-warn">{operationId === null ? `Not everything in the cloud is ${WORDS[unfinished]} yet.` : `What is in the cloud is being ${WORDS[unfinished]}.`}</p>
            {operationId === null ? <Button onClick={() => void startAndShow(() => client.call('encryption.resume', {}))} data-testid="encryption-resume">Go on</Button>
              : <Button onClick={() => navigate({ screen: 'console', operationId })}>Watch</Button>}
          </div>
        )}
      </div>
      {begun !== null && <TurnOnDialog begun={begun} onClose={() => setBegun(null)} />}
      {turningOff && <TurnOffDialog onClose={() => { setTurningOff(false); reload(); }} />}
    </Card>
  );
}
