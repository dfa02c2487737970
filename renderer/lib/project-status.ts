import type { Host } from '#shared/contract.ts';
import type { Project } from '#shared/project.ts';
import { awayHost } from './host-view.ts';
import type { Tone } from './tone.ts';

export type { Tone } from './tone.ts';
export type ProjectStatus = {
  readonly tone: Tone;
  readonly label: string;
  /** What the one big button of the card does. */
  readonly primary: 'open' | 'resume' | 'console' | 'none';
  /** Whether an environment exists that can be saved, ended or discarded. */
  readonly alive: boolean;
  /** Whether the environment answers: only then can it be saved. */
  readonly running: boolean;
};

/** What the card, the palette and the menus may offer for a project, from its environment's state alone. */
export function projectStatus(project: Project): ProjectStatus {
  const busy = project.activeOperationId !== null;
  const state = project.environment?.state ?? 'destroyed';
  switch (state) {
    case 'requested': case 'starting':
      return { tone: 'busy', label: 'Starting', primary: busy ? 'console' : 'open', alive: true, running: false };
    case 'running':
      return project.environment?.dirty === true
        ? { tone: 'live', label: 'Running · unsaved changes', primary: 'resume', alive: true, running: true }
        : { tone: 'live', label: 'Running', primary: 'resume', alive: true, running: true };
    case 'stopping': case 'destroying':
      return { tone: 'busy', label: 'Closing', primary: busy ? 'console' : 'none', alive: true, running: false };
    case 'error':
      return { tone: 'bad', label: 'Needs attention', primary: busy ? 'console' : 'open', alive: true, running: false };
    case 'hibernated':
      return { tone: 'warn', label: 'Hibernated', primary: busy ? 'console' : 'open', alive: true, running: false };
    case 'destroyed':
      if (busy) return { tone: 'busy', label: 'Working', primary: 'console', alive: false, running: false };
      if (project.environment?.error != null) return { tone: 'bad', label: 'Stored · the last attempt failed', primary: project.head === null ? 'none' : 'open', alive: false, running: false };
      return { tone: 'idle', label: 'Stored', primary: project.head === null ? 'none' : 'open', alive: false, running: false };
    default: return state satisfies never;
  }
}

/** The same with the line to its host: what runs beyond a broken one goes on, but cannot be saved or ended from here. */
export function projectStatusOn(project: Project, host: Host | undefined): ProjectStatus {
  const status = projectStatus(project);
  const away = awayHost(project, host);
  if (away === null || !status.running) return status;
  return { ...status, tone: away.standing.tone === 'bad' ? 'bad' : 'warn', running: false, label: `Running · ${awayText(away.host.name, away.standing.label)}` };
}

/** `reconnecting to build-box`, `build-box needs you`, `build-box is unreachable`. */
export function awayText(name: string, label: string): string {
  if (label === 'Reconnecting' || label === 'Connecting' || label === 'Not connected') return `reconnecting to ${name}`;
  return label === 'Needs you' ? `${name} needs you` : `${name} is unreachable`;
}

export type SortOrder = 'recent' | 'name' | 'size' | 'state';
export const SORT_ORDERS: readonly { readonly value: SortOrder; readonly label: string }[] = [
  { value: 'recent', label: 'Last used' }, { value: 'name', label: 'Name' }, { value: 'size', label: 'Size' }, { value: 'state', label: 'State' },
];

const TONE_ORDER: Readonly<Record<Tone, number>> = { bad: 0, busy: 1, live: 2, warn: 3, idle: 4 };
export const lastUsed = (project: Project): number => Math.max(project.lastOpenedAt ?? 0, project.updatedAt, project.createdAt);

/** The cards to show: those whose name, id or template holds every word of `query`, in the wanted order. Deleted ones are left out. */
export function visibleProjects(projects: readonly Project[], query: string, order: SortOrder): readonly Project[] {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const found = projects.filter((project) => {
    if (project.deletedAt !== null) return false;
    const text = `${project.name} ${project.id} ${project.template ?? ''} ${projectStatus(project).label}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const byName = (a: Project, b: Project): number => a.name.localeCompare(b.name, 'en', { sensitivity: 'base', numeric: true }) || a.id.localeCompare(b.id);
  const compare: Readonly<Record<SortOrder, (a: Project, b: Project) => number>> = {
    recent: (a, b) => lastUsed(b) - lastUsed(a) || byName(a, b),
    name: byName,
    size: (a, b) => (b.head?.bytes ?? 0) - (a.head?.bytes ?? 0) || byName(a, b),
    state: (a, b) => TONE_ORDER[projectStatus(a).tone] - TONE_ORDER[projectStatus(b).tone] || byName(a, b),
  };
  return found.sort(compare[order]);
}
