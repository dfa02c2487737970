import { CircleDashed, Cpu, Download, Ellipsis, FilePen, Files, History, LogOut, Pencil, Play, Server, Settings, ShieldCheck, SquareTerminal, Trash2, TriangleAlert } from 'lucide-react';
import { memo, type ReactNode } from 'react';
import type { Project } from '#shared/project.ts';
import { StateDot } from '../../design/badge.tsx';
import { Button } from '../../design/button.tsx';
import { Menu, type MenuItem } from '../../design/menu.tsx';
import { classes } from '../../design/classes.ts';
import { Progress } from '../../design/progress.tsx';
import { formatBytes, formatCount } from '../../lib/format.ts';
import { hostOf } from '../../lib/host-view.ts';
import { routeHash } from '../../lib/routes.ts';
import { type ProjectStatus, projectStatusOn } from '../../lib/project-status.ts';
import { currentStep } from '../../lib/step-timing.ts';
import { openProject, startProjectOperation } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { exportRevision } from '../history/export-revision.ts';
import { TemplateIcon, templateTitle, tierText } from './templates.tsx';
import { SyncLine } from './sync-line.tsx';
import { TimeAgo } from './time-ago.tsx';

/** One project: what it is, how safe it is, and the one thing to do next. Renders again only when its project changes. */
export const ProjectCard = memo(function ProjectCard({ project }: { readonly project: Project }): ReactNode {
  const client = useClient();
  const hostId = hostOf(project);
  const host = useStore((state) => state.hosts[hostId]);
  const status = projectStatusOn(project, host);
  return (
    <article
      data-testid={`project-${project.id}`} data-project-card="" aria-label={`${project.name}, ${status.label}`}
      className="group flex flex-col rounded-lg border border-line bg-surface shadow-card transition-[border-color,box-shadow] hover:border-line-strong hover:shadow-raised"
    >
      <div className="flex items-start gap-3 p-4 pb-3">
        <div className="flex size-10 shrink-0 items-center justify-center rounded-lg bg-accent-soft text-accent"><TemplateIcon template={project.template} size={19} /></div>
        <div className="min-w-0 flex-1">
          <h2 className="truncate text-lg leading-6 font-semibold tracking-tight" title={project.name}>{project.name}</h2>
          <p className="flex items-center gap-2 text-sm text-ink-soft" data-testid="state"><StateDot tone={status.tone} />{status.label}</p>
        </div>
        <Menu label={`More for ${project.name}`} icon={<Ellipsis size={17} />} items={useMenu(project, status)} testId="project-menu" />
      </div>
      <div className="flex-1 px-4 pb-3">
        {project.activeOperationId === null ? <SafetyLine project={project} /> : <WorkLine operationId={project.activeOperationId} />}
        <DraftLine projectId={project.id} />
        <SyncLine project={project} />
        <p className="mt-2 flex items-center gap-2 truncate text-xs text-ink-faint"><Cpu aria-hidden="true" size={15} className="shrink-0" />{templateTitle(project.template)} · {tierText(project.settings.tier)}
          {hostId !== 'local' && <span className="flex min-w-0 items-center gap-1.5 text-ink-soft" data-testid="card-host"><Server aria-hidden="true" size={14} className="ml-2 shrink-0" /><span className="truncate">on {host?.name ?? hostId}</span></span>}
        </p>
      </div>
      <footer className="flex items-center justify-between gap-3 rounded-b-lg border-t border-line px-4 py-3">
        <p className="min-w-0 truncate text-xs text-ink-faint">{project.lastOpenedAt === null ? 'Never opened' : <>Opened <TimeAgo at={project.lastOpenedAt} /></>}</p>
        <div className="flex shrink-0 gap-2">
          {status.running && project.activeOperationId === null && (
            <Button icon={<LogOut size={14} />} data-testid="save-exit" onClick={() => void startProjectOperation(client, 'environments.close', project.id)}>Save &amp; Exit</Button>
          )}
          <PrimaryButton project={project} status={status} />
        </div>
      </footer>
    </article>
  );
});

function PrimaryButton({ project, status }: { readonly project: Project; readonly status: ProjectStatus }): ReactNode {
  const client = useClient();
  const expect = useStore((state) => state.expect);
  const act = (): void => void openProject(client, project);
  switch (status.primary) {
    case 'open': return <Button variant="primary" icon={<Play size={14} />} onClick={act} onPointerEnter={() => expect(project.id)} data-testid="open" data-primary="" aria-label={`Open ${project.name}`}>Open</Button>;
    case 'resume': return <Button variant="primary" icon={<Play size={14} />} onClick={act} data-testid="resume" data-primary="" aria-label={`Resume ${project.name}`}>Resume</Button>;
    case 'console': return <Button icon={<SquareTerminal size={14} />} onClick={act} data-testid="show-console" data-primary="" aria-label={`Show the console of ${project.name}`}>Console</Button>;
    case 'none': return <Button disabled data-primary="">Open</Button>;
    default: return status.primary satisfies never;
  }
}

/** What is in the safe, and since when: the promise of the product in two lines. */
function SafetyLine({ project }: { readonly project: Project }): ReactNode {
  const { head, environment } = project;
  // Also of an environment that is gone: why the last attempt failed is what matters next.
  if (environment !== null && environment.state !== 'running' && environment.error !== null) {
    return (
      <p className="flex items-start gap-2 text-sm"><TriangleAlert aria-hidden="true" size={15} className="mt-0.5 shrink-0 text-bad" />
        <span className="min-w-0"><span className="line-clamp-1 font-medium text-bad">{environment.error.message}</span><span className="line-clamp-1 text-ink-soft">{environment.error.hint}</span></span>
      </p>
    );
  }
  if (head === null) return <p className="flex items-center gap-2 text-sm text-ink-soft"><CircleDashed aria-hidden="true" size={15} />Nothing saved yet</p>;
  return (
    <p className="flex items-start gap-2 text-sm" data-testid="last-save">
      <ShieldCheck aria-hidden="true" size={15} className="mt-0.5 shrink-0 text-ok" />
      <span className="min-w-0">
        <span className="block truncate">Verified <TimeAgo at={head.verifiedAt} /></span>
        <span className="tabular block truncate text-ink-soft">Revision {head.rev} · {formatCount(head.files, 'file')} · {formatBytes(head.bytes)}</span>
      </span>
    </p>
  );
}

/** Changes that were made without the environment and are not a revision yet. */
function DraftLine({ projectId }: { readonly projectId: string }): ReactNode {
  const drafts = useStore((state) => state.drafts[projectId]);
  if (drafts === undefined || drafts.drafts.length === 0) return null;
  const review = drafts.state === 'review';
  return (
    <a href={routeHash({ screen: 'files', projectId, rev: null, path: null })} data-testid="draft-line" className={classes('mt-2 flex items-center gap-2 truncate text-sm hover:underline', review ? 'text-warn' : 'text-info')}>
      <FilePen aria-hidden="true" size={15} className="shrink-0" />{formatCount(drafts.drafts.length, 'offline change')}{review ? ' to review' : ', only on this computer'}
    </a>
  );
}

function WorkLine({ operationId }: { readonly operationId: string }): ReactNode {
  const operation = useStore((state) => state.operations[operationId]);
  if (operation === undefined) return <p className="text-sm text-ink-soft">Working…</p>;
  return (
    <div className="text-sm">
      <p className="flex items-center justify-between gap-3"><span className="truncate">{currentStep(operation)?.title ?? operation.title}</span></p>
      <Progress value={operation.progress} label={operation.title} className="mt-3 mb-[5px]" />
    </div>
  );
}

function useMenu(project: Project, status: ProjectStatus): readonly MenuItem[] {
  const client = useClient();
  const setModal = useStore((state) => state.setModal);
  const go = (panel: 'history' | 'settings' | 'delete') => (): void => navigate({ screen: 'projects', panel, projectId: project.id });
  const several = useStore((state) => Object.keys(state.hosts).length > 1);
  return [
    ...(several ? [{ id: 'open-on', label: 'Open on…', icon: <Server size={15} />, disabled: status.alive || project.activeOperationId !== null || project.head === null, onSelect: () => setModal({ kind: 'open-on', projectId: project.id }) } as const] : []),
    { id: 'rename', label: 'Rename…', icon: <Pencil size={15} />, onSelect: go('settings') },
    { id: 'settings', label: 'Settings…', icon: <Settings size={15} />, onSelect: go('settings') },
    { id: 'files', label: 'Browse files', icon: <Files size={15} />, disabled: project.head === null, onSelect: () => navigate({ screen: 'files', projectId: project.id, rev: null, path: null }) },
    { id: 'history', label: 'History…', icon: <History size={15} />, onSelect: go('history') },
    { id: 'export', label: 'Export as zip', icon: <Download size={15} />, disabled: project.head === null, onSelect: () => void exportRevision(client, project.id, project.head?.rev ?? 1) },
    ...(status.alive ? [{ id: 'discard', label: 'Discard & exit…', icon: <Trash2 size={15} />, tone: 'bad', onSelect: () => setModal({ kind: 'discard', projectId: project.id }) } as const] : []),
    { id: 'delete', label: 'Delete…', icon: <Trash2 size={15} />, tone: 'bad', disabled: status.alive || project.activeOperationId !== null, onSelect: go('delete') },
  ];
}
