import { type FormEvent, type ReactNode, useState } from 'react';
import { VesselError } from '#shared/errors.ts';
import { Button } from '../../design/button.tsx';
import { Field, SecretInput } from '../../design/field.tsx';
import { formatCount } from '../../lib/format.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';

/** Asks for the recovery phrase. What is typed leaves for the main process and is forgotten here. */
export function UnlockForm({ locked, onUnlocked }: { readonly locked: number; readonly onUnlocked: () => void }): ReactNode {
  const client = useClient();
  const [phrase, setPhrase] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await client.call('encryption.unlock', { phrase });
      setPhrase('');
      useStore.getState().toast('ok', 'Unlocked: downloading archives');
      onUnlocked();
    } catch (error) {
      const known = VesselError.from(error);
      setProblem(`${known.message}. ${known.hint}`);
    }
    setBusy(false);
  };
  const onSubmit = (event: FormEvent): void => { event.preventDefault(); void submit(); };
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-4">
      {locked > 0 && <p className="text-warn">{formatCount(locked, 'project')} cannot be read here.</p>}
      <Field label="Recovery phrase" hint="The 24 words that were shown when encryption was turned on." error={problem}>{(ids) => <SecretInput {...ids} required value={phrase} onChange={(event) => setPhrase(event.target.value)} data-testid="encryption-phrase-input" />}</Field>
      <div><Button type="submit" variant="primary" disabled={busy || phrase.trim() === ''} data-testid="encryption-unlock">Unlock</Button></div>
    </form>
  );
}
