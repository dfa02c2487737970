import { Anchor } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Project } from '#shared/project.ts';
import { Button } from '../../design/button.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { EmptyState } from '../../design/surface.tsx';
import { openProject } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';
import { TimeAgo } from '../projects/time-ago.tsx';

/** The environment is no longer there: why, what is safe, and the two ways on. */
export function IdeEnded({ project }: { readonly project: Project }): ReactNode {
  const client = useClient();
  const error = project.environment?.error ?? null;
  const work = project.activeOperationId;
  return (
    <div data-testid="ide-ended" className="absolute inset-0 flex items-center justify-center overflow-auto bg-canvas p-8">
      <div className="w-full max-w-xl">
        <EmptyState
          icon={<Anchor size={24} />} title={`${project.name} is not running`}
          actions={<>
            <Button onClick={() => navigate({ screen: 'projects', panel: 'none' })}>Back to projects</Button>
            {work === null
              ? <Button variant="primary" onClick={() => void openProject(client, project)} data-testid="open">Open</Button>
              : <Button variant="primary" onClick={() => navigate({ screen: 'console', operationId: work })}>Show what is going on</Button>}
          </>}
        >
          {project.head === null ? 'Nothing has been saved yet.' : <>The safe copy is revision {project.head.rev}, verified <TimeAgo at={project.head.verifiedAt} />.</>}
        </EmptyState>
        {error !== null && <ErrorPanel error={error} />}
      </div>
    </div>
  );
}
