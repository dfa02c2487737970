import { ArrowLeft, Flame, History, Minimize2, Save, Timer } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { CallOutput } from '#shared/contract.ts';
import type { Project } from '#shared/project.ts';
import { Button, IconButton } from '../../design/button.tsx';
import { classes } from '../../design/classes.ts';
import { Progress } from '../../design/progress.tsx';
import { Tooltip } from '../../design/tooltip.tsx';
import { formatBytes, formatCount, formatLeft, shortHash } from '../../lib/format.ts';
import { currentStep } from '../../lib/step-timing.ts';
import { attempt, saveNow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useTicking } from '../../state/clock.ts';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { TimeAgo } from '../projects/time-ago.tsx';
import { PortList } from './port-list.tsx';
import { Room } from './room.tsx';
import type { Metrics } from '../../lib/room.ts';

/** The most recent say it all. */
const SHOWN_REASONS = 3;

/** The opened control: save, ports, the idle clock and its reasons, and the ways out. */
export function ControlPanel({ project, activity, metrics, keepAlive, above, onCollapse, onClose }: {
  readonly project: Project; readonly activity: CallOutput<'environments.activity'> | null; readonly metrics: Metrics | null; readonly keepAlive: () => Promise<void>;
  readonly above: boolean; readonly onCollapse: () => void; readonly onClose: () => void;
}): ReactNode {
  const setModal = useStore((state) => state.setModal);
  return (
    <div role="dialog" aria-label={project.name} data-testid="control-panel" className={classes('absolute right-0 w-[400px] rounded-xl border border-line bg-raised shadow-raised', above ? 'bottom-full mb-2' : 'top-full mt-2')}>
      <header className="flex items-center justify-between gap-2 border-b border-line py-2.5 pr-2 pl-4">
        <p className="min-w-0 truncate font-semibold">{project.name}</p>
        <IconButton label="Collapse to a dot" size="small" onClick={onCollapse} data-testid="control-collapse"><Minimize2 size={14} /></IconButton>
      </header>
      <SafeCopy project={project} />
      <PortList projectId={project.id} />
      {metrics !== null && <Room project={project} metrics={metrics} />}
      <Idle activity={activity} keepAlive={keepAlive} minutes={project.settings.idleMinutes} />
      <footer className="flex items-center gap-1 border-t border-line p-2">
        <Button variant="quiet" size="small" icon={<ArrowLeft size={14} />} data-testid="to-projects" onClick={() => navigate({ screen: 'projects', panel: 'none' })}>Projects</Button>
        <Button variant="quiet" size="small" icon={<History size={14} />} onClick={() => navigate({ screen: 'projects', panel: 'history', projectId: project.id })}>History</Button>
        <Button variant="quiet-danger" size="small" icon={<Flame size={14} />} className="ml-auto" data-testid="discard" onClick={() => { onClose(); setModal({ kind: 'discard', projectId: project.id }); }}>Discard…</Button>
      </footer>
    </div>
  );
}

function SafeCopy({ project }: { readonly project: Project }): ReactNode {
  const client = useClient();
  const operation = useStore((state) => (project.activeOperationId === null ? undefined : state.operations[project.activeOperationId]));
  const { head } = project;
  return (
    <section className="flex items-center justify-between gap-3 px-4 py-3" aria-label="Safe copy">
      <div className="min-w-0 flex-1">
        {operation === undefined
          ? <>
            <p className="text-sm">{head === null ? 'Nothing saved yet' : <>Revision {head.rev}, verified <TimeAgo at={head.verifiedAt} /></>}</p>
            {head !== null && <p className="tabular truncate text-xs text-ink-soft">{formatCount(head.files, 'file')} · {formatBytes(head.bytes)} · <span className="font-mono" title={head.sha256}>{shortHash(head.sha256)}</span></p>}
          </>
          : <><p className="mb-1.5 truncate text-sm" role="status">{currentStep(operation)?.title ?? operation.title}</p><Progress value={operation.progress} label={operation.title} /></>}
      </div>
      <Button icon={<Save size={14} />} disabled={operation !== undefined} onClick={() => void saveNow(client, project.id)} data-testid="save-now">Save now</Button>
    </section>
  );
}

function Idle({ activity, keepAlive, minutes }: { readonly activity: CallOutput<'environments.activity'> | null; readonly keepAlive: () => Promise<void>; readonly minutes: number }): ReactNode {
  const [busy, setBusy] = useState(false);
  const stopAt = activity?.idleStopAt ?? null;
  const text = useTicking((now) => {
    if (activity === null) return 'Asking the environment…';
    if (stopAt !== null) return stopAt <= now ? 'Saving and stopping…' : `Saves and stops in ${formatLeft(stopAt, now)} if idle`;
    return minutes === 0 ? 'Never stops by itself' : 'Active: won\'t stop while this runs';
  });
  const keep = async (): Promise<void> => {
    setBusy(true);
    await attempt(keepAlive);
    setBusy(false);
  };
  return (
    <section className="flex items-start justify-between gap-3 border-t border-line px-4 py-3" aria-label="Idle clock">
      <div className="min-w-0 text-sm">
        <p className="flex items-center gap-2" data-testid="idle"><Timer aria-hidden="true" size={14} className="shrink-0 text-ink-faint" />{text}</p>
        {activity !== null && activity.reasons.length > 0 && <ul className="mt-1 list-inside list-disc text-xs text-ink-soft">{activity.reasons.slice(0, SHOWN_REASONS).map((reason) => <li key={reason}>{reason}</li>)}</ul>}
      </div>
      {stopAt !== null && <Tooltip text="Resets the idle timer"><Button size="small" disabled={busy} onClick={() => void keep()} data-testid="keep-alive">Keep alive</Button></Tooltip>}
    </section>
  );
}
