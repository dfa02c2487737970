import type { ReactNode } from 'react';
import type { Project } from '#shared/project.ts';
import { Button } from '../../design/button.tsx';
import { EmptyState } from '../../design/surface.tsx';
import { PackageX } from 'lucide-react';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { DiffScreen } from '../diff/diff-screen.tsx';
import { FilesScreen } from './files-screen.tsx';

/** A screen about one project, once it is known; a project that is gone leads back. */
function WithProject({ projectId, children }: { readonly projectId: string; readonly children: (project: Project) => ReactNode }): ReactNode {
  const project = useStore((state) => state.projects[projectId]);
  const loaded = useStore((state) => state.loaded);
  if (project !== undefined) return children(project);
  if (!loaded) return null;
  return <EmptyState icon={<PackageX size={24} />} title="There is no such project" actions={<Button onClick={() => navigate({ screen: 'projects', panel: 'none' })}>Back to the projects</Button>}>It may have been removed for good.</EmptyState>;
}

export function FilesPlace({ projectId, rev, path }: { readonly projectId: string; readonly rev: number | null; readonly path: string | null }): ReactNode {
  return <WithProject projectId={projectId}>{(project) => <FilesScreen project={project} rev={rev} path={path} />}</WithProject>;
}

export function DiffPlace({ projectId, from, to }: { readonly projectId: string; readonly from: number; readonly to: number }): ReactNode {
  return <WithProject projectId={projectId}>{(project) => <DiffScreen project={project} from={from} to={to} />}</WithProject>;
}
