import { type ReactNode, useEffect, useRef } from 'react';
import { openProject } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { replaceRoute } from '../../state/navigate.ts';
import { toastError, useStore } from '../../state/store.ts';

/** Does what a link from outside asks for, once the projects are known; says so when there is no such project. */
export function OpenLink({ projectId, port }: { readonly projectId: string; readonly port: number | null }): ReactNode {
  const client = useClient();
  const known = useStore((state) => state.loaded);
  const begun = useRef(false);
  useEffect(() => {
    if (!known || begun.current) return;
    begun.current = true;
    const { projects, toast } = useStore.getState();
    const project = projects[projectId];
    replaceRoute({ screen: 'projects', panel: 'none' });
    if (project === undefined || project.deletedAt !== null) {
      toast('bad', `There is no project ${projectId}`, 'It may have been deleted: look under “Deleted”.');
    } else if (port !== null && project.environment?.state === 'running') {
      client.call('environments.url', { projectId, port, frame: false }).then(({ url }) => window.location.assign(url), toastError);
    } else {
      void openProject(client, project);
    }
  }, [client, known, projectId, port]);
  return <main id="main" tabIndex={-1} className="term flex h-full items-center justify-center"><p role="status">opening {projectId}…</p></main>;
}
