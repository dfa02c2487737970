import type { ReactNode } from 'react';
import type { Route } from '../../lib/routes.ts';
import { useStore } from '../../state/store.ts';
import { HistoryDrawer } from '../history/history-drawer.tsx';
import { ProjectSettingsDialog } from '../settings/project-settings-dialog.tsx';
import { CreateDialog } from './create-dialog.tsx';
import { DeleteDialog } from './delete-dialog.tsx';
import { DeletedDialog } from './deleted-dialog.tsx';
import { ImportDialog } from './import-dialog.tsx';

/** The dialog or drawer that the address asks for, over the grid. */
export function ProjectPanels({ route, onClose }: { readonly route: Extract<Route, { readonly screen: 'projects' }>; readonly onClose: () => void }): ReactNode {
  const project = useStore((state) => ('projectId' in route ? state.projects[route.projectId] : undefined));
  switch (route.panel) {
    case 'none': return null;
    case 'new': return <CreateDialog onClose={onClose} />;
    case 'import': return <ImportDialog file={null} onClose={onClose} />;
    case 'deleted': return <DeletedDialog onClose={onClose} />;
    case 'history': return project === undefined ? null : <HistoryDrawer project={project} onClose={onClose} />;
    case 'settings': return project === undefined ? null : <ProjectSettingsDialog key={project.id} project={project} onClose={onClose} />;
    case 'delete': return project === undefined ? null : <DeleteDialog project={project} onClose={onClose} />;
    default: return route satisfies never;
  }
}
