import { ArrowLeft, ArrowRightLeft, RotateCcw } from 'lucide-react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { useVirtualizer } from '@tanstack/react-virtual';
import type { Change, RevisionDiff } from '#shared/archive-contract.ts';
import type { Project, Revision } from '#shared/project.ts';
import { Button, IconButton } from '../../design/button.tsx';
import { classes } from '../../design/classes.ts';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { Select } from '../../design/field.tsx';
import { formatBytes, formatCount, formatDateTime } from '../../lib/format.ts';
import { projectStatus } from '../../lib/project-status.ts';
import { startAndShow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate, replaceRoute } from '../../state/navigate.ts';
import { useCall } from '../../state/use-call.ts';
import { TextDiffView } from './text-diff-view.tsx';

const ROW_HEIGHT = 28;
const MARKS: Readonly<Record<Change['change'], { readonly letter: string; readonly ink: string; readonly says: string }>> = {
  added: { letter: 'A', ink: 'text-ok', says: 'added' }, removed: { letter: 'D', ink: 'text-bad', says: 'removed' }, changed: { letter: 'M', ink: 'text-warn', says: 'changed' }, mode: { letter: 'X', ink: 'text-info', says: 'other permissions' },
};

/** Two revisions of a project beside each other: which files differ, and in which lines. */
export function DiffScreen({ project, from, to }: { readonly project: Project; readonly from: number; readonly to: number }): ReactNode {
  const client = useClient();
  const { id } = project;
  const { loaded, reload } = useCall((signal) => client.call('history.diff', { projectId: id, from, to }, { signal }), `${id}/${from}/${to}`);
  const history = useCall((signal) => client.call('history.list', { projectId: id }, { signal }), `${id}/${project.head?.rev ?? 0}`);
  const [path, setPath] = useState<string | null>(null);
  const changes = loaded.value?.changes ?? [];
  const chosen = changes.find((change) => change.path === path) ?? changes[0] ?? null;
  const go = (left: number, right: number): void => replaceRoute({ screen: 'diff', projectId: id, from: left, to: right });
  const status = projectStatus(project);
  const restorable = !status.alive && project.activeOperationId === null && from !== project.head?.rev;

  return (
    <div className="flex h-full min-w-0 flex-col">
      <header className="flex h-16 shrink-0 items-center gap-3 border-b border-line bg-surface/60 px-5">
        <IconButton label="Back to the history" onClick={() => navigate({ screen: 'projects', panel: 'history', projectId: id })}><ArrowLeft size={17} /></IconButton>
        <div className="min-w-0">
          <h1 className="truncate text-lg leading-5 font-semibold tracking-tight">{project.name}</h1>
          <p className="truncate text-sm text-ink-soft" role="status" data-testid="diff-summary">{loaded.value === null ? 'Comparing…' : summary(loaded.value)}</p>
        </div>
        <div className="ml-auto flex shrink-0 items-center gap-2">
          <RevisionChoice label="Older revision" value={from} revisions={history.loaded.value?.revisions ?? []} onValue={(value) => go(value, to)} />
          <IconButton label="Swap" onClick={() => go(to, from)}><ArrowRightLeft size={15} /></IconButton>
          <RevisionChoice label="Newer revision" value={to} revisions={history.loaded.value?.revisions ?? []} onValue={(value) => go(from, value)} />
        </div>
      </header>
      {loaded.state === 'failed' && <div className="p-6"><ErrorPanel error={loaded.error} onRetry={reload} /></div>}
      <div className="flex min-h-0 flex-1">
        <ChangeList changes={changes} chosen={chosen?.path ?? null} onChoose={setPath} more={loaded.value?.more === true} />
        <section className="min-w-0 flex-1 overflow-y-auto bg-canvas p-5" aria-label="Changed file">
          {chosen === null
            ? loaded.state === 'ready' && <p className="py-16 text-center text-ink-soft">{from === to ? 'This is the same revision twice.' : 'These two revisions have the same content.'}</p>
            : (
              <>
                <div className="mb-3 flex items-center gap-3">
                  <code className="min-w-0 truncate font-mono text-sm font-medium" title={chosen.path}>{chosen.path}</code>
                  <span className="tabular shrink-0 text-sm text-ink-soft">{sizes(chosen)}</span>
                  {restorable && <Button size="small" className="ml-auto" icon={<RotateCcw size={13} />} title={`Makes a new revision in which this file is as in revision ${from}`} data-testid="restore-file" onClick={() => void startAndShow(() => client.call('history.restoreFiles', { projectId: id, rev: from, paths: [chosen.path] }))}>{chosen.change === 'added' ? `Remove, as in ${from}` : `Restore from ${from}`}</Button>}
                </div>
                {chosen.change === 'mode' ? <p className="rounded-lg border border-line bg-surface px-4 py-3 text-sm text-ink-soft">Only its permissions differ: {octal(chosen.before?.mode)} became {octal(chosen.after?.mode)}.</p> : chosen.kind === 'folder' ? <p className="rounded-lg border border-line bg-surface px-4 py-3 text-sm text-ink-soft">An empty folder.</p> : <Lines key={`${chosen.path}/${from}/${to}`} projectId={id} from={from} to={to} path={chosen.path} />}
              </>
            )}
        </section>
      </div>
    </div>
  );
}

function ChangeList({ changes, chosen, onChoose, more }: { readonly changes: readonly Change[]; readonly chosen: string | null; readonly onChoose: (path: string) => void; readonly more: boolean }): ReactNode {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: changes.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_HEIGHT, overscan: 12 });
  const at = changes.findIndex(({ path }) => path === chosen);
  useEffect(() => { if (at >= 0) virtual.scrollToIndex(at); }, [at, virtual]);
  return (
    <aside className="flex w-80 shrink-0 flex-col border-r border-line bg-canvas" aria-label="Changed files">
      <div
        ref={scroller} role="listbox" aria-label="Changed files" tabIndex={0} data-testid="changes" className="min-h-0 flex-1 overflow-y-auto py-2 focus-visible:-outline-offset-2"
        onKeyDown={(event) => {
          const next = changes[at + ({ ArrowDown: 1, ArrowUp: -1 }[event.key] ?? Number.NaN)];
          if (next !== undefined) { event.preventDefault(); onChoose(next.path); }
        }}
      >
        <div role="presentation" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const change = changes[index];
            if (change === undefined) return null;
            const mark = MARKS[change.change];
            const slash = change.path.lastIndexOf('/');
            return (
              <div
                key={change.path} role="option" aria-selected={change.path === chosen} title={change.path} onClick={() => onChoose(change.path)} data-testid={`change-${change.path}`}
                className={classes('absolute inset-x-1.5 flex cursor-pointer items-center gap-2 rounded-md px-2 text-sm hover:bg-sunken', change.path === chosen && 'bg-accent-soft')} style={{ height: ROW_HEIGHT, transform: `translateY(${start}px)` }}
              >
                <span className={classes('w-3 shrink-0 font-mono text-xs font-semibold', mark.ink)} aria-label={mark.says}>{mark.letter}</span>
                <span className="min-w-0 truncate">{change.path.slice(slash + 1)}<span className="ml-1.5 text-xs text-ink-faint">{change.path.slice(0, Math.max(0, slash))}</span></span>
              </div>
            );
          })}
        </div>
      </div>
      {more && <p className="border-t border-line px-4 py-2 text-xs text-ink-faint">Only the first {changes.length.toLocaleString('en')} are shown.</p>}
    </aside>
  );
}

function Lines({ projectId, from, to, path }: { readonly projectId: string; readonly from: number; readonly to: number; readonly path: string }): ReactNode {
  const client = useClient();
  const { loaded, reload } = useCall((signal) => client.call('history.diffFile', { projectId, from, to, path }, { signal }), path);
  if (loaded.state === 'failed') return <ErrorPanel error={loaded.error} onRetry={reload} />;
  return loaded.value === null ? <p role="status" className="text-sm text-ink-faint">Comparing…</p> : <TextDiffView diff={loaded.value.diff} />;
}

function RevisionChoice({ label, value, revisions, onValue }: { readonly label: string; readonly value: number; readonly revisions: readonly Revision[]; readonly onValue: (rev: number) => void }): ReactNode {
  const options = revisions.length === 0 ? [{ value: String(value), label: `Revision ${value}` }] : revisions.map((item) => ({ value: String(item.rev), label: `Revision ${item.rev} · ${formatDateTime(item.createdAt).slice(5, 16)}` }));
  return <Select aria-label={label} className="w-52" value={String(value)} options={options} onValue={(next) => onValue(Number(next))} />;
}

function summary({ counts, from, to }: RevisionDiff): string {
  const parts = [counts.changed > 0 && `${counts.changed} changed`, counts.added > 0 && `${counts.added} added`, counts.removed > 0 && `${counts.removed} removed`, counts.mode > 0 && `${counts.mode} with other permissions`].filter((part) => part !== false);
  const total = counts.added + counts.changed + counts.removed + counts.mode;
  return `Revision ${from} to ${to}: ${total === 0 ? 'no difference' : `${formatCount(total, 'file')} differ${total === 1 ? 's' : ''} (${parts.join(', ')})`}`;
}

function sizes({ before, after }: Change): string {
  if (before === null) return formatBytes(after?.size ?? 0);
  return after === null ? formatBytes(before.size) : before.size === after.size ? formatBytes(after.size) : `${formatBytes(before.size)} → ${formatBytes(after.size)}`;
}

const octal = (mode: number | undefined): string => (mode ?? 0).toString(8).padStart(4, '0');
