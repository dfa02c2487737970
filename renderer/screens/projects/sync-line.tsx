import { Cloud, CloudAlert, CloudUpload, GitFork, Laptop } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Project } from '#shared/project.ts';
import { formatCount, formatDateTime } from '../../lib/format.ts';
import { useStore } from '../../state/store.ts';

const STORES = { supabase: 'the cloud', s3: 'the bucket' } as const;

/** How a project stands with the cloud that it also rests in; the most pressing thing only. Nothing for one that rests here alone. */
export function SyncLine({ project }: { readonly project: Project }): ReactNode {
  const setModal = useStore((state) => state.setModal);
  const { sync } = project;
  if (sync === undefined) return null;
  const line = 'mt-2 flex max-w-full items-center gap-2 text-sm';
  if (sync.conflict !== null) {
    return (
      <button type="button" className={`${line} font-medium text-warn hover:underline`} data-testid="sync-conflict" onClick={() => setModal({ kind: 'conflict', projectId: project.id })}>
        <GitFork aria-hidden="true" size={15} className="shrink-0" /><span className="truncate">Saved on two computers: choose…</span>
      </button>
    );
  }
  if (sync.lease !== null && !sync.lease.mine) {
    return (
      <button type="button" className={`${line} text-warn hover:underline`} data-testid="sync-lease" onClick={() => setModal({ kind: 'take-over', projectId: project.id })}>
        <Laptop aria-hidden="true" size={15} className="shrink-0" /><span className="truncate">Open on {sync.lease.device} since {formatDateTime(sync.lease.since)}…</span>
      </button>
    );
  }
  if (sync.state === 'failed') return <p className={`${line} text-bad`} data-testid="sync-failed" title={sync.error?.hint ?? ''}><CloudAlert aria-hidden="true" size={15} className="shrink-0" /><span className="truncate">{sync.error?.message ?? `Cannot reach ${STORES[sync.store]}`}</span></p>;
  if (sync.state === 'pending') return <p className={`${line} text-info`} data-testid="sync-pending"><CloudUpload aria-hidden="true" size={15} className="shrink-0" />{formatCount(sync.pending, 'change')} still only on this computer</p>;
  return <p className={`${line} text-ink-soft`} data-testid="sync-synced"><Cloud aria-hidden="true" size={15} className="shrink-0" />Also in {STORES[sync.store]}</p>;
}
