import { type ReactNode, useEffect } from 'react';
import { Button } from '../../design/button.tsx';
import { classes } from '../../design/classes.ts';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { loadIde } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate, replaceRoute } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { useCall } from '../../state/use-call.ts';
import { awayHost, hostOf } from '../../lib/host-view.ts';
import { awayText } from '../../lib/project-status.ts';
import { FloatingControl } from './floating-control.tsx';
import { HostAwayBanner, HostAwayPage } from './host-away.tsx';
import { IdeCover } from './ide-cover.tsx';
import { IdeEnded } from './ide-ended.tsx';

/** VS Code gives up on a first connection after ten seconds: a frame that was loaded ahead of a slow start is loaded anew. */
const STALE_MS = 8_000;

/** VS Code over the whole window, with one small control floating on it. Closing the window leaves the environment running. */
export function IdeScreen({ projectId }: { readonly projectId: string }): ReactNode {
  const client = useClient();
  const project = useStore((state) => state.projects[projectId]);
  const known = useStore((state) => state.loaded);
  const host = useStore((state) => (project === undefined ? undefined : state.hosts[hostOf(project)]));
  const away = project === undefined ? null : awayHost(project, host);
  const frame = useStore((state) => (state.ideFrame?.projectId === projectId && state.ideFrame.gate === null ? state.ideFrame : null));
  // Asked for once: whether what was loaded behind the console will do is known when this screen appears.
  const { loaded, reload } = useCall(async (signal) => {
    const ahead = useStore.getState().ideFrame;
    if (ahead?.projectId === projectId && ahead.gate === null && Date.now() - ahead.askedAt < STALE_MS) return;
    // Nothing would answer: a frame that is loaded now would show that, and stay so.
    if (!answersNow(projectId)) return;
    await loadIde(client, projectId, signal);
  }, projectId);

  const setFrame = useStore((store) => store.setIdeFrame);
  const state = project?.environment?.state;
  const starting = state === 'requested' || state === 'starting';
  const operationId = project?.activeOperationId ?? null;
  useEffect(() => {
    if (known && project === undefined) replaceRoute({ screen: 'projects', panel: 'none' });
    else if (starting && operationId !== null) replaceRoute({ screen: 'console', operationId });
  }, [known, project, starting, operationId]);

  // Dropped while the environment was down, and now it runs.
  const lost = state === 'running' && away === null && frame === null && loaded.state === 'ready';
  useEffect(() => { if (lost) reload(); }, [lost, reload]);

  if (project === undefined) return null;
  const visible = state === 'running' && frame !== null;
  return (
    // The frame lies below (see IdeStage): this lets the pointer through to it, but not where it shows something of its own.
    <main id="main" tabIndex={-1} data-testid="ide" className={classes('relative z-10 h-full outline-none', visible ? 'pointer-events-none *:pointer-events-auto' : 'bg-term-back')}>
      <h1 className="sr-only">{project.name}</h1>
      {state === 'running' && (away === null || frame !== null) && <IdeCover projectId={projectId} hidden={frame?.shown === true} />}
      {state === 'running' && away !== null && frame === null && <HostAwayPage away={away} name={project.name} />}
      {loaded.state === 'failed' && frame === null && state === 'running' && (
        <div className="absolute inset-0 flex items-center justify-center p-8"><div className="w-full max-w-xl"><ErrorPanel error={loaded.error} onRetry={reload} actions={<Button size="small" onClick={() => navigate({ screen: 'projects', panel: 'none' })}>Back to projects</Button>} /></div></div>
      )}
      {known && state !== 'running' && !starting && <IdeEnded project={project} />}
      {state === 'running' && frame !== null && <HostAwayBanner away={away} name={project.name} onReload={() => setFrame(null)} />}
      {state === 'running' && (away === null || frame !== null) && <FloatingControl project={project} away={away === null ? null : awayText(away.host.name, away.standing.label)} />}
    </main>
  );
}

/** False as well while the page does not know yet where the project is: asking comes right after. */
function answersNow(projectId: string): boolean {
  const { projects, hosts } = useStore.getState();
  const project = projects[projectId];
  return project !== undefined && awayHost(project, hosts[hostOf(project)]) === null;
}
