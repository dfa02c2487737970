import { ChevronDown, GripVertical, LogOut } from 'lucide-react';
import { type ReactNode, useRef, useState } from 'react';
import type { Project } from '#shared/project.ts';
import { StateDot } from '../../design/badge.tsx';
import { Button, IconButton } from '../../design/button.tsx';
import { classes } from '../../design/classes.ts';
import { formatAgo, formatLeft } from '../../lib/format.ts';
import { shortageText } from '../../lib/room.ts';
import { startProjectOperation } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useTicking } from '../../state/clock.ts';
import { ControlPanel } from './control-panel.tsx';
import { useDraggable } from './use-draggable.ts';
import { useIdle } from './use-idle.ts';
import { useRoom } from './use-room.ts';

/** A countdown is worth showing on the closed control when it is this near. */
const IDLE_WARNING_MS = 5 * 60_000;
const COLLAPSED_KEY = 'vessel-control-collapsed';

/** The one thing of Vessel's on top of VS Code: draggable, collapsible, never in the way for long. */
export function FloatingControl({ project, away }: { readonly project: Project; /** Why its host cannot be reached; null when it can. */ readonly away: string | null }): ReactNode {
  const client = useClient();
  const box = useRef<HTMLDivElement>(null);
  const { position, dragging, handle } = useDraggable(box);
  const [open, setOpen] = useState(false);
  const [collapsed, setCollapsed] = useState(() => localStorage.getItem(COLLAPSED_KEY) === 'yes');
  const { activity, keepAlive } = useIdle(project.id, open);
  const metrics = useRoom(project.id, open);
  const shortage = shortageText(metrics);
  const dirty = project.environment?.dirty === true;
  const idleStopAt = activity?.idleStopAt ?? null;
  const safe = useTicking((now) => {
    if (away !== null) return away.charAt(0).toUpperCase() + away.slice(1);
    if (idleStopAt !== null && idleStopAt - now < IDLE_WARNING_MS) return idleStopAt <= now ? 'Saving and stopping…' : `Saves and stops in ${formatLeft(idleStopAt, now)}`;
    if (shortage !== null) return shortage;
    if (dirty) return 'Not in a revision yet';
    return project.head === null ? 'Nothing saved yet' : `Saved and verified ${formatAgo(project.head.verifiedAt, now)}`;
  });
  const collapse = (next: boolean): void => {
    localStorage.setItem(COLLAPSED_KEY, next ? 'yes' : 'no');
    setCollapsed(next);
    setOpen(false);
  };
  const tone = away !== null || dirty || shortage !== null ? 'warn' : 'live';
  const above = position.bottom < window.innerHeight / 2;

  return (
    <>
      {dragging && <div aria-hidden="true" className="absolute inset-0 z-10 cursor-grabbing" />}
      {open && <div aria-hidden="true" className="absolute inset-0 z-10" onPointerDown={() => setOpen(false)} />}
      <div
        ref={box} data-testid="floating-control" role="toolbar" aria-label="Environment" style={{ right: position.right, bottom: position.bottom }}
        onKeyDown={(event) => { if (event.key === 'Escape' && open) { event.stopPropagation(); setOpen(false); } }}
        className={classes('absolute z-20 flex h-11 items-center rounded-full border border-line-strong/60 bg-raised/95 shadow-overlay backdrop-blur-sm', collapsed ? 'px-1' : 'gap-1 pr-1.5 pl-1')}
      >
        {open && <ControlPanel project={project} activity={activity} metrics={metrics} keepAlive={keepAlive} above={above} onCollapse={() => collapse(true)} onClose={() => setOpen(false)} />}
        <button type="button" aria-label="Move (arrow keys)" title="Drag to move" data-testid="control-handle" className={classes('flex h-9 w-5 touch-none items-center justify-center rounded-full text-ink-faint hover:text-ink', dragging ? 'cursor-grabbing' : 'cursor-grab')} {...handle}>
          <GripVertical aria-hidden="true" size={15} />
        </button>
        {collapsed
          ? <IconButton label={`${project.name}: ${safe}. Show controls`} pill onClick={() => collapse(false)} data-testid="control-expand"><StateDot tone={tone} /></IconButton>
          : (
            <>
              <button type="button" aria-expanded={open} data-testid="control-toggle" onClick={() => setOpen(!open)} className="flex h-8 items-center gap-2 rounded-full px-2 text-sm hover:bg-sunken">
                <StateDot tone={tone} />
                <span data-testid="safe-copy" className="whitespace-nowrap">{safe}</span>
                <ChevronDown aria-hidden="true" size={14} className={classes('text-ink-faint transition-transform', open !== above && 'rotate-180')} />
              </button>
              <Button variant="primary" pill icon={<LogOut size={14} />} disabled={away !== null} data-testid="save-exit" onClick={() => void startProjectOperation(client, 'environments.close', project.id)}>Save &amp; Exit</Button>
            </>
          )}
      </div>
    </>
  );
}
