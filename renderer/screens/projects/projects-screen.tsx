import { FileDown, PackageOpen, Plus, Search, SearchX, Trash2 } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useDeferredValue, useMemo } from 'react';
import { Button } from '../../design/button.tsx';
import { Kbd } from '../../design/badge.tsx';
import { Select } from '../../design/field.tsx';
import { EmptyState, Page } from '../../design/surface.tsx';
import { formatCount } from '../../lib/format.ts';
import { SORT_ORDERS, visibleProjects } from '../../lib/project-status.ts';
import type { Route } from '../../lib/routes.ts';
import { leaveRoute, navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { Banners } from './banners.tsx';
import { ProjectGrid } from './project-grid.tsx';
import { ProjectPanels } from './project-panels.tsx';

/** The list of projects, rendered from what Vessel knows locally: no network is waited for. */
export function ProjectsScreen({ route }: { readonly route: Extract<Route, { readonly screen: 'projects' }> }): ReactNode {
  const projects = useStore((state) => state.projects);
  const loaded = useStore((state) => state.loaded);
  const sort = useStore((state) => state.sort);
  const query = useDeferredValue(useStore((state) => state.query));
  const all = useMemo(() => Object.values(projects), [projects]);
  const visible = useMemo(() => visibleProjects(all, query, sort), [all, query, sort]);
  const living = all.filter((project) => project.deletedAt === null);
  const running = living.filter((project) => project.environment?.state === 'running').length;

  return (
    <Page
      wide title="Projects"
      description={!loaded ? 'Loading…' : living.length === 0 ? 'None yet' : `${formatCount(living.length, 'project')}${running > 0 ? ` · ${running} running` : ' · nothing running'}`}
      actions={<>
        {living.length > 0 && <SearchBox />}
        <Button icon={<FileDown size={15} />} onClick={() => navigate({ screen: 'projects', panel: 'import' })} data-testid="import">Import</Button>
        <Button variant="primary" icon={<Plus size={15} />} onClick={() => navigate({ screen: 'projects', panel: 'new' })} data-testid="new-project">New project</Button>
      </>}
    >
      <Banners />
      {living.length > 0 && <ListHead shown={visible.length} filtered={query !== ''} />}
      <ProjectGrid projects={visible} />
      {loaded && living.length === 0 && <FirstProject />}
      {loaded && living.length > 0 && visible.length === 0 && (
        <EmptyState icon={<SearchX size={24} />} title="No project matches" actions={<Button onClick={() => useStore.getState().setQuery('')}>Clear the search</Button>}>Nothing is called “{query}”.</EmptyState>
      )}
      <ProjectPanels route={route} onClose={() => leaveRoute(route, { screen: 'projects', panel: 'none' })} />
    </Page>
  );
}

function SearchBox(): ReactNode {
  const query = useStore((state) => state.query);
  const setQuery = useStore((state) => state.setQuery);
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (event.key === 'Escape') { setQuery(''); event.currentTarget.blur(); }
    if (event.key === 'ArrowDown' || event.key === 'Enter') {
      event.preventDefault();
      document.querySelector<HTMLElement>('[data-project-card] [data-primary]')?.focus();
    }
  };
  return (
    <div className="relative w-64">
      <Search aria-hidden="true" size={15} className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-ink-faint" />
      <input
        id="project-search" type="search" aria-label="Search projects" placeholder="Search projects" data-testid="search" value={query} onChange={(event) => setQuery(event.target.value)} onKeyDown={onKeyDown}
        className="h-8 w-full rounded-md border border-line-strong/70 bg-surface pr-9 pl-8 hover:border-line-strong [&::-webkit-search-cancel-button]:hidden"
      />
      <span aria-hidden="true" className="absolute top-1/2 right-1.5 -translate-y-1/2"><Kbd>/</Kbd></span>
    </div>
  );
}

function ListHead({ shown, filtered }: { readonly shown: number; readonly filtered: boolean }): ReactNode {
  const sort = useStore((state) => state.sort);
  const setSort = useStore((state) => state.setSort);
  return (
    <div className="mb-3 flex items-center justify-between text-sm text-ink-soft">
      <p role="status">{filtered ? `${formatCount(shown, 'project')} found` : ''}</p>
      <div className="flex items-center gap-2">
        <Button variant="quiet" size="small" icon={<Trash2 size={14} />} onClick={() => navigate({ screen: 'projects', panel: 'deleted' })} data-testid="show-deleted">Deleted</Button>
        <label className="flex items-center gap-2">Sort by <Select value={sort} options={SORT_ORDERS} onValue={setSort} aria-label="Sort by" data-testid="sort" /></label>
      </div>
    </div>
  );
}

function FirstProject(): ReactNode {
  return (
    <EmptyState
      icon={<PackageOpen size={26} />} title="Your first project"
      actions={<>
        <Button variant="primary" size="large" icon={<Plus size={16} />} onClick={() => navigate({ screen: 'projects', panel: 'new' })} data-testid="first-project">New project</Button>
        <Button size="large" icon={<FileDown size={16} />} onClick={() => navigate({ screen: 'projects', panel: 'import' })}>Import a zip or a folder</Button>
      </>}
    >
      <p>A project is a verified zip. Open it, and it becomes VS Code in a microVM of its own; Save &amp; Exit turns it back into a zip, and nothing is left running.</p>
      <p className="mt-3 text-sm">You can also drop a zip anywhere on this window.</p>
    </EmptyState>
  );
}
