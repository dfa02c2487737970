import { type ReactNode, useState } from 'react';
import type { DraftReview } from '#shared/draft-contract.ts';
import { Badge, type BadgeTone } from '../../design/badge.tsx';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { Select } from '../../design/field.tsx';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';
import { useCall } from '../../state/use-call.ts';
import { TextDiffView } from '../diff/text-diff-view.tsx';

type File = DraftReview['files'][number];
type Take = 'merge' | 'mine' | 'theirs';
const FITS: Readonly<Record<File['fit'], { readonly label: string; readonly tone: BadgeTone }>> = { clean: { label: 'Only you changed it', tone: 'ok' }, merges: { label: 'Both changed it, in different lines', tone: 'warn' }, conflict: { label: 'Both changed the same lines', tone: 'bad' } };
const usual = ({ fit }: File): Take => (fit === 'merges' ? 'merge' : 'mine');

/** Offline changes beside what the project became meanwhile: each file is decided by a person. */
export function ReviewDialog({ projectId, onClose, onDone }: { readonly projectId: string; readonly onClose: () => void; readonly onDone: () => void }): ReactNode {
  const client = useClient();
  const { loaded, reload } = useCall((signal) => client.call('drafts.review', { projectId }, { signal }), projectId);
  const [takes, setTakes] = useState<Readonly<Record<string, Take>>>({});
  const review = loaded.value;
  const apply = (): void => void attempt(async () => {
    if (review === null) return;
    const drafts = await client.call('drafts.resolve', { projectId, choices: review.files.map((file) => ({ path: file.path, take: takes[file.path] ?? usual(file) })) });
    useStore.getState().apply({ kind: 'drafts', drafts });
    onDone();
  }, 'Your changes stand on the current revision now');
  const copyPatch = (): void => void attempt(() => navigator.clipboard.writeText(review?.patch ?? ''), 'The patch is in the clipboard; `git apply` takes it');
  return (
    <Dialog
      title="Review your offline changes" width="wide" onClose={onClose} testId="review-dialog"
      description={review === null ? 'Comparing…' : `Made on revision ${review.baseRev ?? ''}; the project is at revision ${review.headRev ?? ''} now.`}
      footer={<><Button className="mr-auto" onClick={copyPatch} disabled={review === null}>Copy as patch</Button><Button onClick={onClose}>Later</Button><Button variant="primary" disabled={review === null} onClick={apply} data-testid="apply-review">Apply</Button></>}
    >
      {loaded.state === 'failed' && <ErrorPanel error={loaded.error} onRetry={reload} />}
      <ul className="flex flex-col gap-5">
        {review?.files.map((file) => (
          <li key={file.path} data-testid={`review-${file.path}`}>
            <div className="mb-2 flex items-center gap-3">
              <code className="min-w-0 truncate font-mono text-sm font-medium">{file.path}</code>
              <Badge tone={FITS[file.fit].tone}>{FITS[file.fit].label}</Badge>
              <Select aria-label={`What to take of ${file.path}`} className="ml-auto shrink-0" value={takes[file.path] ?? usual(file)} onValue={(value) => setTakes({ ...takes, [file.path]: value })}
                options={[...(file.fit === 'merges' ? [{ value: 'merge', label: 'Merge both' } as const] : []), { value: 'mine', label: 'Take mine' }, { value: 'theirs', label: 'Drop mine' }]} />
            </div>
            <p className="mb-1 text-xs text-ink-faint">What you changed</p>
            <TextDiffView diff={file.mine} />
            {file.fit !== 'clean' && <><p className="mt-2 mb-1 text-xs text-ink-faint">What changed meanwhile</p><TextDiffView diff={file.theirs} /></>}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
