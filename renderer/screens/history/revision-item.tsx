import { Download, Files, GitCompareArrows, Pin, PinOff, RotateCcw, ShieldCheck } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { Revision } from '#shared/project.ts';
import { Badge, type BadgeTone } from '../../design/badge.tsx';
import { Button, IconButton } from '../../design/button.tsx';
import { classes } from '../../design/classes.ts';
import { formatBytes, formatCount, formatDateTime, shortHash } from '../../lib/format.ts';
import { navigate } from '../../state/navigate.ts';
import { attempt, startAndShow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';
import { TimeAgo } from '../projects/time-ago.tsx';
import { exportRevision } from './export-revision.ts';

const REASONS: Readonly<Record<Revision['reason'], { readonly label: string; readonly tone: BadgeTone }>> = {
  create: { label: 'Created', tone: 'neutral' }, import: { label: 'Imported', tone: 'neutral' }, save: { label: 'Saved', tone: 'accent' }, autosave: { label: 'Autosave', tone: 'neutral' },
  exit: { label: 'Save & Exit', tone: 'ok' }, idle: { label: 'Idle stop', tone: 'info' }, restore: { label: 'Restored', tone: 'warn' }, rescue: { label: 'Rescued', tone: 'warn' }, 'offline-edit': { label: 'Offline edit', tone: 'info' },
};

export function RevisionItem({ revision, current, last, previous, restoreHint, onVerified }: {
  readonly revision: Revision; readonly current: boolean; readonly last: boolean; readonly previous: number | null; readonly restoreHint: string | null; readonly onVerified: () => void;
}): ReactNode {
  const client = useClient();
  const [verifying, setVerifying] = useState(false);
  const { projectId, rev } = revision;
  const reason = REASONS[revision.reason];

  const verify = async (): Promise<void> => {
    setVerifying(true);
    await attempt(async () => {
      const answer = await client.call('history.verify', { projectId, rev });
      const { toast } = useStore.getState();
      if (answer.ok) toast('ok', `Revision ${rev} is intact`, `Read back just now; sha256 ${shortHash(answer.sha256)} matched`);
      else toast('bad', `Revision ${rev} is damaged`, `The stored bytes have sha256 ${shortHash(answer.sha256)}, not ${shortHash(revision.sha256)}. Restore another revision.`);
      onVerified();
    });
    setVerifying(false);
  };

  return (
    <li className="relative pb-6 pl-7" data-testid={`revision-${rev}`}>
      {!last && <span aria-hidden="true" className="absolute top-4 bottom-0 left-[7px] w-px bg-line" />}
      <span aria-hidden="true" className={classes('absolute top-1 left-0 size-[15px] rounded-full border-2', current ? 'border-accent bg-accent' : 'border-line-strong bg-surface')} />
      <div className="flex items-center gap-2">
        <span className="tabular font-semibold">Revision {rev}</span>
        <Badge tone={reason.tone}>{reason.label}</Badge>
        {current && <Badge tone="accent">Current</Badge>}
        {revision.pinned === true && <Badge tone="warn"><Pin aria-hidden="true" size={11} />Pinned</Badge>}
        <span className="ml-auto text-sm text-ink-soft" title={formatDateTime(revision.createdAt)}><TimeAgo at={revision.createdAt} /></span>
      </div>
      <p className="tabular mt-1 text-sm">{formatCount(revision.files, 'file')} · {formatBytes(revision.bytes)} <span className="text-ink-soft">({formatBytes(revision.contentBytes)} unpacked)</span></p>
      {revision.origin !== undefined && <p className="text-sm text-ink-soft" data-testid={`origin-${rev}`}>{originText(revision.origin)}</p>}
      <p className="flex items-center gap-1.5 text-sm text-ink-soft"><ShieldCheck aria-hidden="true" size={14} className="text-ok" /><span>Verified <TimeAgo at={revision.verifiedAt} /> · </span><code className="font-mono text-xs" title={revision.sha256}>{shortHash(revision.sha256)}</code></p>
      {revision.leftOut.length > 0 && (
        <details className="mt-1 text-sm">
          <summary className="text-ink-soft hover:text-ink">{formatCount(revision.leftOut.length, 'thing')} left out</summary>
          <ul className="mt-1 rounded-md bg-sunken px-3 py-2">
            {revision.leftOut.map((item) => <li key={item.path}><code className="font-mono text-xs">{item.path}</code> <span className="text-ink-soft">{item.reason}</span></li>)}
          </ul>
        </details>
      )}
      <div className="mt-2 flex flex-wrap gap-1.5">
        <Button size="small" icon={<Files size={13} />} onClick={() => navigate({ screen: 'files', projectId, rev: current ? null : rev, path: null })} data-testid={`browse-${rev}`}>Browse</Button>
        {previous !== null && <Button size="small" icon={<GitCompareArrows size={13} />} title={`What changed since revision ${previous}`} onClick={() => navigate({ screen: 'diff', projectId, from: previous, to: rev })} data-testid={`compare-${rev}`}>Changes</Button>}
        {!current && <Button size="small" icon={<RotateCcw size={13} />} disabled={restoreHint !== null} title={restoreHint ?? undefined} onClick={() => void startAndShow(() => client.call('history.restore', { projectId, rev }))} data-testid={`restore-${rev}`}>Restore</Button>}
        <Button size="small" icon={<Download size={13} />} onClick={() => void exportRevision(client, projectId, rev)} data-testid={`export-${rev}`}>Export</Button>
        <Button size="small" icon={<ShieldCheck size={13} />} disabled={verifying} onClick={() => void verify()} data-testid={`verify-${rev}`}>{verifying ? 'Reading back…' : 'Verify'}</Button>
        <IconButton size="small" label={revision.pinned === true ? `Unpin revision ${rev}` : `Pin revision ${rev}: it is never pruned`} onClick={() => void attempt(() => client.call('history.pin', { projectId, rev, pinned: revision.pinned !== true })).then(onVerified)} data-testid={`pin-${rev}`}>{revision.pinned === true ? <PinOff size={14} /> : <Pin size={14} />}</IconButton>
      </div>
    </li>
  );
}

function originText({ hostName, device }: NonNullable<Revision['origin']>): string {
  return hostName === null ? `Made on ${device}` : `From ${hostName}, saved by ${device}`;
}
