import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { VesselError } from '#shared/errors.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Field, TextInput } from '../../design/field.tsx';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';

/** A key that was made and not yet confirmed: its phrase, and the places of the two words to type (counted from 1). */
export type Begun = { readonly keyId: string; readonly phrase: string; readonly ask: readonly number[] };

/** Shows the recovery phrase, once, and then wants to hear two of its words before anything is turned on. */
export function TurnOnDialog({ begun: { keyId, phrase, ask }, onClose }: { readonly begun: Begun; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const formId = useId();
  const [confirming, setConfirming] = useState(false);
  const [typed, setTyped] = useState<readonly string[]>(ask.map(() => ''));
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    try {
      const { operationId } = await client.call('encryption.turnOn', { keyId, words: typed.map((word) => word.trim()) });
      onClose();
      navigate({ screen: 'console', operationId });
    } catch (error) {
      const known = VesselError.from(error);
      setProblem(`${known.message}. ${known.hint}`);
      setBusy(false);
    }
  };
  const onSubmit = (event: FormEvent): void => { event.preventDefault(); void submit(); };
  return (
    <Dialog
      title={confirming ? 'Have you written it down?' : 'Your recovery phrase'} onClose={onClose} testId="encryption-dialog"
      footer={confirming ? (
        <>
          <Button onClick={() => { setConfirming(false); setProblem(null); }}>Show it again</Button>
          <Button key="confirm" type="submit" form={formId} variant="primary" disabled={busy || typed.some((word) => word.trim() === '')} data-testid="encryption-confirm">Turn on</Button>
        </>
      ) : (
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button key="next" variant="primary" data-testid="encryption-written" onClick={() => setConfirming(true)}>I have written it down</Button>
        </>
      )}
    >
      {confirming ? (
        <form id={formId} onSubmit={onSubmit} className="flex flex-col gap-4">
          <p>Type two of its words. Then everything in the cloud is sent again, encrypted, and the readable archives there are removed.</p>
          <div className="grid grid-cols-2 gap-4">
            {ask.map((place, index) => (
              <Field key={place} label={`Word ${place}`}>{(ids) => (
                <TextInput {...ids} required autoCapitalize="off" data-autofocus={index === 0 ? '' : undefined} autoFocus={index === 0} value={typed[index] ?? ''} onChange={(event) => setTyped(typed.map((word, at) => (at === index ? event.target.value : word)))} data-testid={`encryption-word-${index}`} />
              )}</Field>
            ))}
          </div>
          {problem !== null && <p className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad" role="alert">{problem}</p>}
        </form>
      ) : (
        <div className="flex flex-col gap-4">
          <p>These 24 words are the key. Write them down on paper, in this order: they are shown this once. If you lose both them and this computer, you lose what is in the cloud. Anyone who has them can read it.</p>
          <ol className="grid grid-cols-4 gap-x-4 gap-y-2 rounded-lg border border-line bg-sunken p-4 font-mono text-sm" data-testid="encryption-phrase" aria-label="Recovery phrase">
            {phrase.split(' ').map((word, index) => <li key={index} className="flex gap-2"><span aria-hidden="true" className="tabular w-5 text-right text-ink-soft select-none">{index + 1}</span>{word}</li>)}
          </ol>
        </div>
      )}
    </Dialog>
  );
}
