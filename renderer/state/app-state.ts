import type { Host, Orphan, Settings, StateEvent } from '#shared/contract.ts';
import type { Drafts } from '#shared/draft-contract.ts';
import type { Operation } from '#shared/operation.ts';
import type { Project } from '#shared/project.ts';

/** What Vessel said last, keyed for lookup. Nothing in here is made up by the page. */
export type AppData = {
  /** False until the first snapshot came. */
  readonly loaded: boolean;
  readonly projects: Readonly<Record<string, Project>>;
  readonly hosts: Readonly<Record<string, Host>>;
  readonly operations: Readonly<Record<string, Operation>>;
  readonly orphans: readonly Orphan[];
  readonly settings: Settings | null;
  /** Changes made without an environment, by project. */
  readonly drafts: Readonly<Record<string, Drafts>>;
};

export const EMPTY: AppData = { loaded: false, projects: {}, hosts: {}, operations: {}, orphans: [], settings: null, drafts: {} };

/** Operations kept in memory; older ended ones are asked for when the activity screen wants them. */
const KEPT_OPERATIONS = 200;

/** The next state after one event of `state.watch`. Items that did not change keep their identity, so their cards do not render again. */
export function applyStateEvent(data: AppData, event: StateEvent): AppData {
  switch (event.kind) {
    case 'snapshot':
      return {
        loaded: true,
        projects: keyed(event.projects, data.projects),
        hosts: keyed(event.hosts, data.hosts),
        operations: keyed(event.operations, data.operations),
        orphans: event.orphans,
        settings: event.settings,
        // Told anew after the snapshot for each project that has some.
        drafts: {},
      };
    case 'project': return { ...data, projects: { ...data.projects, [event.project.id]: event.project } };
    case 'project-removed': return { ...data, projects: without(data.projects, event.projectId), drafts: without(data.drafts, event.projectId) };
    case 'host': return { ...data, hosts: { ...data.hosts, [event.host.id]: event.host } };
    case 'host-removed': return { ...data, hosts: without(data.hosts, event.hostId) };
    case 'operation': return { ...data, operations: withOperation(data.operations, event.operation) };
    case 'orphans': return { ...data, orphans: event.orphans };
    case 'settings': return { ...data, settings: event.settings };
    case 'drafts': return { ...data, drafts: { ...data.drafts, [event.drafts.projectId]: event.drafts } };
    default: return event satisfies never;
  }
}

/** Adds an operation unless a newer view of it is known: answers to calls and the stream may cross. */
export function withOperation(operations: AppData['operations'], operation: Operation): AppData['operations'] {
  const known = operations[operation.id];
  if (known !== undefined && (known.lastSeq > operation.lastSeq || (known.state !== 'running' && operation.state === 'running'))) return operations;
  const next = { ...operations, [operation.id]: operation };
  const all = Object.values(next);
  if (all.length <= KEPT_OPERATIONS) return next;
  const kept = all.toSorted((a, b) => Number(b.state === 'running') - Number(a.state === 'running') || b.startedAt - a.startedAt).slice(0, KEPT_OPERATIONS);
  return Object.fromEntries(kept.map((item) => [item.id, item]));
}

function without<T>(items: Readonly<Record<string, T>>, removed: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(items).filter(([id]) => id !== removed));
}

function keyed<T extends { readonly id: string }>(items: readonly T[], before: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(items.map((item) => {
    const old = before[item.id];
    return [item.id, old !== undefined && JSON.stringify(old) === JSON.stringify(item) ? old : item];
  }));
}
