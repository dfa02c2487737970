import { type ReactNode, useEffect, useRef } from 'react';
import type { EnvironmentState } from '#shared/project.ts';
import { environmentPartition } from '#shared/shell.ts';
import { useEditorAhead } from '../../state/use-editor-ahead.ts';
import { classes } from '../../design/classes.ts';
import { mayWait } from '../../lib/editor-ahead.ts';
import { type AppStore, type IdeFrame, useStore } from '../../state/store.ts';

/**
 * VS Code's frame, behind whatever screen there is: it loads while the console still shows how the machine comes up, and comes to
 * light with the IDE's screen. It must not move in the page, or the browser would load it again.
 */
export function IdeStage(): ReactNode {
  const frame = useStore((state) => state.ideFrame);
  const place = useStore(placeOf);
  const setFrame = useStore((state) => state.setIdeFrame);
  useEditorAhead();
  useEffect(() => { if (frame !== null && place === 'gone') setFrame(null); }, [frame, place, setFrame]);
  if (frame === null || place === 'gone') return null;
  const hidden = place === 'behind';
  return (
    <div inert={hidden} className={classes('fixed inset-0', hidden && 'invisible')}>
      <Frame key={frame.url} frame={frame} onShown={() => markShown(frame.url)} />
    </div>
  );
}

/** The frame may have passed its gate since it was rendered. */
function markShown(url: string): void {
  const { ideFrame, setIdeFrame } = useStore.getState();
  if (ideFrame?.url === url) setIdeFrame({ ...ideFrame, shown: true });
}

const COMING: ReadonlySet<EnvironmentState> = new Set(['requested', 'starting']);

/** Where the frame belongs now; gone as soon as nobody is on the way to it. */
function placeOf(store: AppStore): 'shown' | 'behind' | 'gone' {
  const { ideFrame, route, operations, projects } = store;
  if (ideFrame === null) return 'gone';
  const { projectId } = ideFrame;
  if (ideFrame.gate !== null) return mayWait(store, projectId) ? 'behind' : 'gone';
  const state = projects[projectId]?.environment?.state;
  if (route.screen === 'ide' && route.projectId === projectId) return state === 'running' ? 'shown' : state !== undefined && COMING.has(state) ? 'behind' : 'gone';
  const operation = route.screen === 'console' ? operations[route.operationId] : undefined;
  // The click that opened it is known here before its operation is.
  if (operation === undefined) return route.screen === 'console' || (projects[projectId]?.activeOperationId ?? null) !== null ? 'behind' : 'gone';
  const leadsHere = operation.kind === 'open' && operation.projectId === projectId && (operation.state === 'running' || operation.state === 'succeeded');
  return leadsHere ? 'behind' : 'gone';
}

function Frame({ frame, onShown }: { readonly frame: IdeFrame; readonly onShown: () => void }): ReactNode {
  const name = useStore((state) => state.projects[frame.projectId]?.name ?? frame.projectId);
  const view = useRef<HTMLWebViewElement>(null);
  useEffect(() => {
    const element = view.current;
    element?.addEventListener('dom-ready', onShown, { once: true });
    return () => element?.removeEventListener('dom-ready', onShown);
    // The first paint is announced once; a later callback says the same.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  return window.vessel?.shell === 'electron'
    ? <webview ref={view} data-testid="ide-webview" src={frame.url} partition={environmentPartition(frame.projectId)} className="absolute inset-0 size-full" />
    : <iframe data-testid="ide-frame" title={`VS Code: ${name}`} src={frame.url} allow="clipboard-read; clipboard-write; fullscreen" className="absolute inset-0 size-full border-0" onLoad={onShown} />;
}
