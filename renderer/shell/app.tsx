import { type ReactNode, useEffect } from 'react';
import { Toasts } from '../design/toasts.tsx';
import { ActivityScreen } from '../screens/activity/activity-screen.tsx';
import { ConsoleScreen } from '../screens/console/console-screen.tsx';
import { DiffPlace, FilesPlace } from '../screens/files/places.tsx';
import { HostScreen } from '../screens/host/host-screen.tsx';
import { HostsScreen } from '../screens/hosts/hosts-screen.tsx';
import { IdeScreen } from '../screens/ide/ide-screen.tsx';
import { IdeStage } from '../screens/ide/ide-stage.tsx';
import { OpenLink } from '../screens/ide/open-link.tsx';
import { ProjectsScreen } from '../screens/projects/projects-screen.tsx';
import { SettingsScreen } from '../screens/settings/settings-screen.tsx';
import { useStore } from '../state/store.ts';
import { ConnectionBar } from './connection-bar.tsx';
import { DropZip } from './drop-zip.tsx';
import { Modals } from './modals.tsx';
import { PagePrompt } from './page-prompt.tsx';
import { Sidebar } from './sidebar.tsx';
import { useShortcuts } from './use-shortcuts.ts';

/** The whole window: a place chosen by the address, with what floats above it. */
export function App({ retryNow }: { readonly retryNow: () => void }): ReactNode {
  useShortcuts();
  useTitle();
  return (
    <>
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded-md focus:bg-raised focus:px-3 focus:py-2" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus(); }}>Skip to content</a>
      <ConnectionBar retryNow={retryNow} />
      <IdeStage />
      <Place />
      <DropZip />
      <Modals />
      <PagePrompt />
      <Toasts />
    </>
  );
}

function Place(): ReactNode {
  const route = useStore((state) => state.route);
  switch (route.screen) {
    case 'ide': return <IdeScreen key={route.projectId} projectId={route.projectId} />;
    case 'open': return <OpenLink key={route.projectId} projectId={route.projectId} port={route.port} />;
    case 'console': return <ConsoleScreen key={route.operationId} operationId={route.operationId} />;
    case 'files': return <Framed><FilesPlace key={`${route.projectId}/${route.rev ?? ''}`} projectId={route.projectId} rev={route.rev} path={route.path} /></Framed>;
    case 'diff': return <Framed><DiffPlace key={route.projectId} projectId={route.projectId} from={route.from} to={route.to} /></Framed>;
    case 'projects': return <Framed><ProjectsScreen route={route} /></Framed>;
    case 'hosts': return <Framed><HostsScreen route={route} /></Framed>;
    case 'host': return <Framed><HostScreen key={route.hostId} hostId={route.hostId} /></Framed>;
    case 'settings': return <Framed><SettingsScreen /></Framed>;
    case 'activity': return <Framed><ActivityScreen projectId={route.projectId} /></Framed>;
    default: return route satisfies never;
  }
}

function Framed({ children }: { readonly children: ReactNode }): ReactNode {
  return (
    <div className="flex h-full">
      <Sidebar />
      <main id="main" tabIndex={-1} className="h-full min-w-0 flex-1 outline-none">{children}</main>
    </div>
  );
}

/** The window says where it is, so that several tabs can be told apart. */
function useTitle(): void {
  const title = useStore((state) => {
    const { route } = state;
    const projectId = route.screen === 'console' ? state.operations[route.operationId]?.projectId : 'projectId' in route ? route.projectId : null;
    const name = projectId === null || projectId === undefined ? undefined : state.projects[projectId]?.name;
    return name === undefined ? 'Vessel' : `${name} – Vessel`;
  });
  useEffect(() => { document.title = title; }, [title]);
}
