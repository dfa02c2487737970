import { type ReactNode, useEffect, useRef, useState } from 'react';
import { environmentPartition } from '#shared/shell.ts';
import { Button } from '../../design/button.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { useClient } from '../../state/client-context.ts';
import { navigate, replaceRoute } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { useCall } from '../../state/use-call.ts';
import { FloatingControl } from './floating-control.tsx';
import { IdeCover } from './ide-cover.tsx';
import { IdeEnded } from './ide-ended.tsx';

/** VS Code over the whole window, with one small control floating on it. Closing the window leaves the environment running. */
export function IdeScreen({ projectId }: { readonly projectId: string }): ReactNode {
  const client = useClient();
  const project = useStore((state) => state.projects[projectId]);
  const known = useStore((state) => state.loaded);
  const [shown, setShown] = useState(false);
  const electron = window.vessel?.shell === 'electron';
  const { loaded, reload } = useCall((signal) => client.call('environments.url', { projectId, frame: !electron }, { signal }), projectId);
  // The address carries a ticket for one entry: a later one must not make the frame load again.
  const [entry, setEntry] = useState<string | null>(null);
  if (entry === null && loaded.state === 'ready') setEntry(loaded.value.url);

  const state = project?.environment?.state;
  const starting = state === 'requested' || state === 'provisioning' || state === 'starting';
  const operationId = project?.activeOperationId ?? null;
  useEffect(() => {
    if (known && project === undefined) replaceRoute({ screen: 'projects', panel: 'none' });
    else if (starting && operationId !== null) replaceRoute({ screen: 'console', operationId });
  }, [known, project, starting, operationId]);

  if (project === undefined) return null;
  return (
    <main id="main" tabIndex={-1} data-testid="ide" className="relative h-full bg-term-back outline-none">
      <h1 className="sr-only">{project.name}</h1>
      {entry !== null && state === 'running' && (electron
        ? <IdeWebview projectId={projectId} url={entry} onShown={() => setShown(true)} />
        : <iframe data-testid="ide-frame" title={`VS Code: ${project.name}`} src={entry} allow="clipboard-read; clipboard-write; fullscreen" className="absolute inset-0 size-full border-0" onLoad={() => setShown(true)} />)}
      {state === 'running' && <IdeCover projectId={projectId} hidden={shown} />}
      {loaded.state === 'failed' && entry === null && state === 'running' && (
        <div className="absolute inset-0 flex items-center justify-center p-8"><div className="w-full max-w-xl"><ErrorPanel error={loaded.error} onRetry={reload} actions={<Button size="small" onClick={() => navigate({ screen: 'projects', panel: 'none' })}>Back to projects</Button>} /></div></div>
      )}
      {known && state !== 'running' && !starting && <IdeEnded project={project} />}
      {state === 'running' && <FloatingControl project={project} />}
    </main>
  );
}

function IdeWebview({ projectId, url, onShown }: { readonly projectId: string; readonly url: string; readonly onShown: () => void }): ReactNode {
  const view = useRef<HTMLWebViewElement>(null);
  useEffect(() => {
    const element = view.current;
    element?.addEventListener('dom-ready', onShown, { once: true });
    return () => element?.removeEventListener('dom-ready', onShown);
    // The first paint is announced once; a later callback says the same.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  return <webview ref={view} data-testid="ide-webview" src={url} partition={environmentPartition(projectId)} className="absolute inset-0 size-full" />;
}
