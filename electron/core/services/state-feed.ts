import type { Host, HostConnection, Orphan, StateEvent } from '#shared/contract.ts';
import type { Drafts } from '#shared/draft-contract.ts';
import type { ErrorShape } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import type { Project } from '#shared/project.ts';
import { clamp } from '#shared/visible-text.ts';
import { LIVE_STATES } from '../domain/environment-state.ts';
import { Mailbox } from '../domain/mailbox.ts';
import type { HostRecord, ProjectRecord, Store } from '../ports/store.ts';
import type { Operations } from './operations/operations.ts';

/** Recent operations in the first snapshot: what a home screen and an activity list show. */
const SNAPSHOT_OPERATIONS = 50;
/** What they may take there; the rest of a long one is read where it is opened. */
const SNAPSHOT_OPERATION_BYTES = 512 * 1024;
/** Of all projects; errors beyond it keep their code, message and fix. */
const SNAPSHOT_ERROR_BYTES = 512 * 1024;

/** Everything a door shows, pushed when it changes. A slow reader gets the newest state of each thing, never a backlog. */
export class StateFeed {
  readonly #store: Store;
  readonly #operations: Operations;
  readonly #readers = new Set<Mailbox<StateEvent>>();
  #orphans: readonly Orphan[] = [];
  readonly #projectListeners = new Set<(projectId: string) => void>();
  readonly #drafts = new Map<string, Drafts>();
  readonly #connections = new Map<string, HostConnection>();

  constructor(store: Store, operations: Operations) {
    this.#store = store;
    this.#operations = operations;
    operations.onChange((operation) => this.#operationChanged(operation));
  }

  get orphans(): readonly Orphan[] { return this.#orphans; }

  /** A project with its running operation. */
  complete(record: ProjectRecord): Project {
    const sync = this.#store.sync.status(record.id);
    return { ...record, environment: this.#environment(record.environment), activeOperationId: this.#operations.active(record.id, null)?.id ?? null, ...(sync === null ? {} : { sync }) };
  }

  #environment(environment: ProjectRecord['environment']): Project['environment'] {
    if (environment === null || !LIVE_STATES.has(environment.state)) return environment;
    const line = this.#connections.get(environment.hostId)?.state;
    return line === undefined || line === 'connected' ? environment : { ...environment, connection: line === 'down' ? 'down' : 'reconnecting' };
  }

  /** The line to a host; null for this computer. */
  connection(hostId: string): HostConnection | null { return this.#connections.get(hostId) ?? null; }

  completeHost(record: HostRecord): Host {
    const connection = this.#connections.get(record.id);
    return { ...record, activeOperationId: this.#operations.active(null, record.id)?.id ?? null, ...(connection === undefined ? {} : { connection }) };
  }

  /** Called whenever a project may have changed. Returns the unsubscribe function. */
  onProject(listener: (projectId: string) => void): () => void {
    this.#projectListeners.add(listener);
    return () => { this.#projectListeners.delete(listener); };
  }

  project(id: string): void {
    for (const listener of this.#projectListeners) listener(id);
    const record = this.#store.projects.get(id);
    if (record !== null) this.#push({ kind: 'project', project: this.complete(record) }, `project ${id}`);
  }

  projectRemoved(projectId: string): void { this.#push({ kind: 'project-removed', projectId }, `project ${projectId}`); }

  host(id: string): void {
    const record = this.#store.hosts.get(id);
    if (record !== null) this.#push({ kind: 'host', host: this.completeHost(record) }, `host ${id}`);
  }

  hostRemoved(hostId: string): void { this.#push({ kind: 'host-removed', hostId }, `host ${hostId}`); }

  /** The state of the line to a host; null when there is none any more. */
  setConnection(hostId: string, connection: HostConnection | null): void {
    if (connection === null) { this.#connections.delete(hostId); return; }
    const changed = this.#connections.get(hostId)?.state !== connection.state;
    this.#connections.set(hostId, connection);
    this.host(hostId);
    if (!changed) return;
    for (const { projectId, hostId: itsHost, state } of this.#store.environments.list()) if (itsHost === hostId && LIVE_STATES.has(state)) this.project(projectId);
  }

  /** What a host has that nobody knows; the other hosts' are left as they are. */
  setOrphans(hostId: string, found: readonly Orphan[]): void {
    const orphans = [...this.#orphans.filter((orphan) => orphan.hostId !== hostId), ...found];
    if (orphans.length === 0 && this.#orphans.length === 0) return;
    this.#orphans = orphans;
    this.#push({ kind: 'orphans', orphans: [...orphans] }, 'orphans');
  }

  /** Told when they change, and to each new reader while there are some. */
  setDrafts(drafts: Drafts): void {
    if (drafts.drafts.length === 0) this.#drafts.delete(drafts.projectId);
    else this.#drafts.set(drafts.projectId, drafts);
    this.#push({ kind: 'drafts', drafts }, `drafts ${drafts.projectId}`);
  }

  settings(): void { this.#push({ kind: 'settings', settings: this.#store.settings.get() }, 'settings'); }

  async *watch(signal: AbortSignal): AsyncGenerator<StateEvent, void> {
    const mailbox = new Mailbox<StateEvent>(signal);
    this.#readers.add(mailbox);
    try {
      yield {
        kind: 'snapshot',
        projects: this.#allProjects(),
        hosts: this.#store.hosts.list().map((record) => this.completeHost(record)),
        operations: this.#recentOperations(),
        orphans: [...this.#orphans],
        settings: this.#store.settings.get(),
      };
      for (const drafts of [...this.#drafts.values()]) yield { kind: 'drafts', drafts };
      yield* mailbox;
    } finally {
      this.#readers.delete(mailbox);
    }
  }

  #allProjects(): Project[] {
    let room = SNAPSHOT_ERROR_BYTES;
    return this.#store.projects.list(true).map((record) => {
      const project = this.complete(record);
      const error = project.environment?.error ?? null;
      if (project.environment === null || error === null) return project;
      room -= JSON.stringify(error).length;
      return room >= 0 ? project : { ...project, environment: { ...project.environment, error: withoutTail(error) } };
    });
  }

  #recentOperations(): Operation[] {
    let room = SNAPSHOT_OPERATION_BYTES;
    return this.#operations.list({ limit: SNAPSHOT_OPERATIONS }).map((operation) => {
      room -= JSON.stringify(operation).length;
      return room >= 0 ? operation : { ...operation, steps: [], result: null, error: operation.error === null ? null : withoutTail(operation.error) };
    });
  }

  /** Ends all watches. */
  close(): void { for (const reader of this.#readers) reader.close(); }

  #operationChanged(operation: Operation): void {
    this.#push({ kind: 'operation', operation }, `operation ${operation.id}`);
    // Only its begin and end change what the project shows.
    if (operation.endedAt === null && operation.progress > 0) return;
    if (operation.projectId !== null) this.project(operation.projectId);
    else if (operation.hostId !== null) this.host(operation.hostId);
  }

  #push(event: StateEvent, key: string): void { for (const reader of this.#readers) reader.push(event, key); }
}

const withoutTail = (error: ErrorShape): ErrorShape => ({ ...error, message: clamp(error.message, 300), hint: clamp(error.hint, 300), details: {}, logTail: [] });
