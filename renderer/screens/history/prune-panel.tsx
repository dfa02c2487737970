import { type ReactNode, useState } from 'react';
import type { Revision } from '#shared/project.ts';
import { Button } from '../../design/button.tsx';
import { Field, NumberInput } from '../../design/field.tsx';
import { formatBytes, formatCount } from '../../lib/format.ts';
import { previewPrune } from '../../lib/prune-preview.ts';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';

/** Says what would go before anything goes. */
export function PrunePanel({ projectId, revisions, onDone }: { readonly projectId: string; readonly revisions: readonly Revision[]; readonly onDone: () => void }): ReactNode {
  const client = useClient();
  const retention = useStore((state) => state.settings?.retention);
  const [keepRevisions, setKeepRevisions] = useState(retention?.keepRevisions ?? 30);
  const [keepDays, setKeepDays] = useState(retention?.keepDays ?? 90);
  const [now] = useState(() => Date.now());
  const valid = keepRevisions >= 1 && keepDays >= 1;
  const goes = valid ? previewPrune(revisions, { keepRevisions, keepDays }, now) : [];

  const prune = (): Promise<boolean> => attempt(async () => {
    const answer = await client.call('history.prune', { projectId, keepRevisions, keepDays });
    useStore.getState().toast('ok', `${formatCount(answer.removed.length, 'revision')} removed`, `${formatBytes(answer.freedBytes)} freed`);
    onDone();
  });
  return (
    <section aria-label="Prune" className="mb-6 rounded-lg border border-line bg-canvas p-4" data-testid="prune-panel">
      <div className="grid grid-cols-2 gap-4">
        <Field label="At most this many revisions">{(ids) => <NumberInput {...ids} min={1} value={keepRevisions} onValue={setKeepRevisions} data-testid="prune-revisions" />}</Field>
        <Field label="None older than … days">{(ids) => <NumberInput {...ids} min={1} value={keepDays} onValue={setKeepDays} />}</Field>
      </div>
      <p role="status" className="mt-3 text-sm" data-testid="prune-preview">
        {goes.length === 0 ? 'Nothing would go.' : <>{formatCount(goes.length, 'revision')} would go: <span className="tabular">{goes.map((revision) => revision.rev).join(', ')}</span> ({formatBytes(goes.reduce((sum, revision) => sum + revision.bytes, 0))}).</>} The current and pinned ones always stay.
      </p>
      <Button className="mt-3" variant="danger" size="small" disabled={goes.length === 0} onClick={() => void prune()} data-testid="prune-confirm">Remove {formatCount(goes.length, 'revision')}</Button>
    </section>
  );
}
