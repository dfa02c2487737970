import type { Project } from '#shared/project.ts';
import type { Host, Settings } from '#shared/contract.ts';
import type { Route } from './routes.ts';
import { isAway } from './host-view.ts';
import { lastUsed } from './project-status.ts';

type Known = {
  readonly settings: Settings | null;
  readonly projects: Readonly<Record<string, Project>>;
  readonly hosts: Readonly<Record<string, Host>>;
  readonly route: Route;
  /** The one that somebody points at. */
  readonly expected: string | null;
};

/** Whether the editor of a project may wait for it to be opened: the setting says so, and it rests on a host that could open it. */
export function mayWait({ settings, projects, hosts }: Pick<Known, 'settings' | 'projects' | 'hosts'>, projectId: string): boolean {
  const project = projects[projectId];
  if (settings?.keepReady !== true || project === undefined || project.deletedAt !== null || project.head === null) return false;
  const host = hosts[project.hostId];
  return host?.status === 'ready' && !isAway(host);
}

const rests = ({ environment, activeOperationId }: Project): boolean => activeOperationId === null && (environment === null || environment.state === 'destroyed' || environment.state === 'hibernated');

/** The project whose editor is worth loading ahead: the one that is pointed at, else the one used last. Null while another screen than the projects' is open. */
export function nextToOpen(known: Known): string | null {
  if (known.route.screen !== 'projects') return null;
  const fits = (project: Project | undefined): project is Project => project !== undefined && rests(project) && mayWait(known, project.id);
  const pointedAt = known.expected === null ? undefined : known.projects[known.expected];
  if (fits(pointedAt)) return pointedAt.id;
  let newest: Project | null = null;
  // One pass and no sorting: there may be ten thousand, and this is asked at each change.
  for (const project of Object.values(known.projects)) if ((newest === null || lastUsed(project) > lastUsed(newest)) && fits(project)) newest = project;
  return newest?.id ?? null;
}
