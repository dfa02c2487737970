import { VesselError } from '#shared/errors.ts';
import type { LogLine, Operation, OperationEvent } from '#shared/operation.ts';
import { Mailbox } from '../../domain/mailbox.ts';
import type { Runtime } from '../../ports/runtime.ts';
import type { OperationRequest, Store } from '../../ports/store.ts';
import type { OperationDefinition } from './definition.ts';
import { LiveOperation } from './live-operation.ts';
import { runSteps } from './run-steps.ts';

/** Ended operations that stay in the database. */
const KEEP_OPERATIONS = 2000;
/** What all operations and their logs may take in the database: two thousand ordinary ones come to a tenth of it. */
export const KEEP_OPERATION_BYTES = 64 * 1024 * 1024;

export type StartedOperation = { readonly operationId: string; readonly done: Promise<Operation> };
type Entry = { readonly live: LiveOperation; readonly exclusive: boolean; readonly done: Promise<Operation> };

/** All long work: started here, followed from anywhere, remembered in the store. */
export class Operations {
  readonly #store: Store;
  readonly #runtime: Runtime;
  readonly #live = new Map<string, Entry>();
  /** A reader is told that there are new lines, and reads them when it gets round to it: nothing piles up for a slow one. */
  readonly #watchers = new Map<string, Set<Mailbox<Operation | 'log'>>>();
  readonly #listeners = new Set<(operation: Operation) => void>();
  #closing = false;

  constructor(store: Store, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
    this.#endInterrupted();
    store.operations.prune(KEEP_OPERATIONS, KEEP_OPERATION_BYTES);
  }

  /**
   * Starts an operation. While another one works on the project: the same kind answers with that one's id (two clicks on
   * Open are one), any other kind throws BUSY naming it, unless the definition says to wait for it (`after`).
   */
  start<S>(definition: OperationDefinition<S>): StartedOperation {
    if (this.#closing) throw new VesselError('INTERRUPTED', 'Vessel is closing');
    const exclusive = definition.exclusive ?? true;
    const active = exclusive ? this.active(definition.projectId, definition.hostId) : null;
    if (active !== null && active.id !== definition.after) {
      const entry = this.#live.get(active.id);
      if (active.kind === definition.kind && entry !== undefined) return { operationId: active.id, done: entry.done };
      throw new VesselError('BUSY', `"${active.title}" is still working on this ${active.projectId === null ? 'host' : 'project'}`, { details: { operationId: active.id, kind: active.kind, title: active.title } });
    }
    const id = crypto.randomUUID();
    const live = new LiveOperation({ id, definition, store: this.#store, runtime: this.#runtime, onEvent: (event) => this.#tell(id, event) });
    const before = definition.after === undefined || definition.after === null ? undefined : this.#live.get(definition.after);
    const done = this.#run(definition, live, before?.done ?? null);
    this.#live.set(id, { live, exclusive, done });
    this.#tell(id, { kind: 'operation', operation: live.snapshot });
    return { operationId: id, done };
  }

  /** The newest exclusive operation of a project, or of a host when `projectId` is null. */
  active(projectId: string | null, hostId: string | null): Operation | null {
    let found: Operation | null = null;
    for (const { live, exclusive } of this.#live.values()) {
      const operation = live.snapshot;
      const same = projectId === null ? operation.projectId === null && operation.hostId === hostId : operation.projectId === projectId;
      if (exclusive && same) found = operation;
    }
    return found;
  }

  /** Throws NOT_FOUND. */
  get(id: string): Operation {
    const operation = this.#live.get(id)?.live.snapshot ?? this.#store.operations.get(id);
    if (operation === null) throw new VesselError('NOT_FOUND', `There is no operation ${id}`);
    return operation;
  }

  list(filter: Parameters<Store['operations']['list']>[0]): readonly Operation[] {
    return this.#store.operations.list(filter).map((operation) => this.#live.get(operation.id)?.live.snapshot ?? operation);
  }

  log(id: string, afterSeq: number): readonly LogLine[] {
    this.get(id);
    return this.#live.get(id)?.live.logAfter(afterSeq) ?? this.#store.operations.log(id, afterSeq);
  }

  request(id: string): OperationRequest {
    this.get(id);
    return this.#store.operations.request(id);
  }

  /** Asks a running operation to stop; a no-op for an ended one. Throws BAD_REQUEST when it cannot be cancelled. */
  cancel(id: string): Operation {
    const entry = this.#live.get(id);
    if (entry === undefined) return this.get(id);
    if (!entry.live.snapshot.cancellable) throw new VesselError('BAD_REQUEST', `"${entry.live.snapshot.title}" cannot be cancelled any more`);
    entry.live.abort.abort(new VesselError('CANCELLED'));
    return entry.live.snapshot;
  }

  /** The operation, its log after `afterSeq`, then everything that follows until it has ended. */
  async *watch(id: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<OperationEvent, void> {
    const operation = this.get(id);
    const mailbox = new Mailbox<Operation | 'log'>(signal);
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(mailbox));
    try {
      let seq = afterSeq;
      mailbox.push('log', 'log');
      if (!this.#live.has(id)) mailbox.close();
      yield { kind: 'operation', operation };
      for await (const item of mailbox) {
        if (item !== 'log') { yield { kind: 'operation', operation: item }; continue; }
        for (const line of this.log(id, seq)) {
          seq = line.seq;
          yield { kind: 'log', line };
        }
      }
    } finally {
      watchers.delete(mailbox);
      if (watchers.size === 0) this.#watchers.delete(id);
    }
  }

  /** Every change of every operation. Returns the unsubscribe function. */
  onChange(listener: (operation: Operation) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the operation has ended; at once for one that has. */
  async settled(id: string): Promise<Operation> { return (await this.#live.get(id)?.done) ?? this.get(id); }

  /** Ends everything as INTERRUPTED and waits for it. */
  async close(): Promise<void> {
    this.#closing = true;
    const entries = [...this.#live.values()];
    for (const { live } of entries) live.abort.abort(new VesselError('INTERRUPTED'));
    await Promise.all(entries.map(({ done }) => done));
  }

  async #run<S>(definition: OperationDefinition<S>, live: LiveOperation, before: Promise<Operation> | null): Promise<Operation> {
    // The caller gets the id before the first step can fail.
    await Promise.resolve();
    try {
      if (before !== null) {
        live.log(null, 'info', 'Waiting for the operation before this one');
        await before;
      }
      await runSteps(definition, live, this.#runtime);
      const result = definition.result(definition.state);
      this.#live.delete(live.id);
      live.succeed(result);
    } catch (error) {
      let known = VesselError.from(error);
      if (!this.#closing && definition.onFailure !== undefined) {
        try {
          known = await definition.onFailure(known, { operationId: live.id, state: definition.state, log: (text, level = 'info') => live.log(null, level, text) }) ?? known;
        } catch (second) {
          live.log(null, 'error', `Cleaning up failed: ${VesselError.from(second).message}`);
        }
      }
      if (known.code === 'INTERNAL') this.#runtime.log(`defect in ${definition.kind}: ${known.stack ?? known.message}`);
      this.#live.delete(live.id);
      live.fail(known);
    }
    for (const mailbox of this.#watchers.get(live.id) ?? []) mailbox.close();
    this.#store.operations.prune(KEEP_OPERATIONS, KEEP_OPERATION_BYTES);
    return live.snapshot;
  }

  #tell(id: string, event: OperationEvent): void {
    for (const mailbox of this.#watchers.get(id) ?? []) mailbox.push(event.kind === 'operation' ? event.operation : 'log', event.kind);
    if (event.kind === 'operation') for (const listener of this.#listeners) listener(event.operation);
  }

  /** What ran when Vessel was killed has failed; finished steps are not repeated by a retry. */
  #endInterrupted(): void {
    for (const operation of this.#store.operations.running()) {
      const now = this.#runtime.now();
      const tail = this.#store.operations.log(operation.id, Math.max(0, operation.lastSeq - 20)).map((line) => line.text);
      const steps = operation.steps.map((step) => (step.state === 'running' ? { ...step, state: 'failed' as const, endedAt: now } : step));
      const error = new VesselError('INTERRUPTED', undefined, { logTail: tail }).toShape();
      this.#store.operations.put({ ...operation, state: 'failed', steps, cancellable: false, endedAt: now, error }, this.#store.operations.request(operation.id));
    }
  }
}
