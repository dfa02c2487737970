import type { VesselError } from '#shared/errors.ts';
import type { LogLine, Operation, OperationEvent, Step, StepState } from '#shared/operation.ts';
import { overallProgress, pendingStep } from '../../domain/progress.ts';
import { redact } from '../../domain/redact.ts';
import type { Runtime } from '../../ports/runtime.ts';
import type { OperationRequest, Store } from '../../ports/store.ts';
import type { OperationDefinition } from './definition.ts';

/** Progress reaches SQLite and watchers at most this often; changes of state at once. */
const PROGRESS_EVERY_MS = 200;
/** Lines kept per operation: enough for the worst provisioning, small in the database. */
export const KEEP_LOG_LINES = 2000;
const TAIL_LINES = 20;

export type LiveOperationOptions = {
  readonly id: string;
  readonly definition: Pick<OperationDefinition<unknown>, 'kind' | 'title' | 'projectId' | 'hostId' | 'cancellable' | 'request'> & { readonly steps: readonly { readonly id: string; readonly title: string; readonly weight: number }[] };
  readonly store: Store;
  readonly runtime: Runtime;
  readonly onEvent: (event: OperationEvent) => void;
};

/** A running operation in memory: its steps, its log, and when they reach the database. */
export class LiveOperation {
  readonly id: string;
  readonly abort = new AbortController();
  readonly #store: Store;
  readonly #runtime: Runtime;
  readonly #onEvent: (event: OperationEvent) => void;
  readonly #request: OperationRequest;
  readonly #tail: string[] = [];
  #operation: Operation;
  #unsaved: LogLine[] = [];
  #lastSeq = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor({ id, definition, store, runtime, onEvent }: LiveOperationOptions) {
    this.id = id;
    this.#store = store;
    this.#runtime = runtime;
    this.#onEvent = onEvent;
    this.#request = definition.request;
    this.#operation = {
      id, kind: definition.kind, title: definition.title, projectId: definition.projectId, hostId: definition.hostId, state: 'running',
      steps: definition.steps.map(pendingStep), progress: 0, cancellable: definition.cancellable, startedAt: runtime.now(), endedAt: null,
      lastSeq: 0, result: null, error: null,
    };
    this.#flush();
  }

  get snapshot(): Operation { return this.#operation; }

  log(stepId: string | null, level: LogLine['level'], raw: string): void {
    for (const text of redact(raw).split('\n')) {
      const line: LogLine = { seq: ++this.#lastSeq, at: this.#runtime.now(), stepId, level, text };
      this.#tail.push(text);
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
      this.#unsaved.push(line);
      this.#onEvent({ kind: 'log', line });
    }
    this.#later();
  }

  /** Lines after `afterSeq`, stored or not yet stored. */
  logAfter(afterSeq: number): readonly LogLine[] {
    return [...this.#store.operations.log(this.id, afterSeq), ...this.#unsaved.filter((line) => line.seq > afterSeq)];
  }

  stepStarted(id: string): void { this.#changeStep(id, { state: 'running', startedAt: this.#runtime.now() }); this.#flush(); }

  stepProgress(id: string, fraction: number, detail: string | undefined): void {
    this.#changeStep(id, { progress: Math.min(1, Math.max(0, fraction)), ...(detail === undefined ? {} : { detail: redact(detail) }) });
    this.#later();
  }

  stepEnded(id: string, state: Exclude<StepState, 'pending' | 'running'>, detail: string | undefined): void {
    const known = this.#operation.steps.find((step) => step.id === id);
    this.#changeStep(id, {
      state, endedAt: this.#runtime.now(), progress: state === 'done' || state === 'skipped' ? 1 : known?.progress ?? 0,
      ...(detail === undefined ? {} : { detail: redact(detail) }),
    });
    this.#flush();
  }

  showSteps(steps: readonly Step[]): void {
    this.#operation = { ...this.#operation, steps: [...steps] };
    this.#recount();
    this.#later();
  }

  succeed(result: unknown): void {
    this.#end({ state: 'succeeded', progress: 1, result: result ?? null });
  }

  fail(error: VesselError): void {
    const shape = error.toShape();
    const logTail = shape.logTail.length > 0 ? shape.logTail.map((line) => redact(line)) : [...this.#tail];
    this.#end({ state: error.code === 'CANCELLED' ? 'cancelled' : 'failed', error: { ...shape, message: redact(shape.message), logTail } });
  }

  #end(change: Partial<Operation>): void {
    const now = this.#runtime.now();
    const rest: StepState = change.state === 'succeeded' ? 'skipped' : 'cancelled';
    const steps = this.#operation.steps.map((step): Step => (step.state === 'running' ? { ...step, state: rest, endedAt: now } : step));
    this.#operation = { ...this.#operation, steps, cancellable: false, endedAt: now, ...change };
    this.#flush();
    this.#store.operations.trimLog(this.id, KEEP_LOG_LINES);
  }

  #changeStep(id: string, change: Partial<Step>): void {
    this.#operation = { ...this.#operation, steps: this.#operation.steps.map((step) => (step.id === id ? { ...step, ...change } : step)) };
    this.#recount();
  }

  #recount(): void { this.#operation = { ...this.#operation, progress: overallProgress(this.#operation.steps) }; }

  #later(): void { this.#timer ??= setTimeout(() => this.#flush(), PROGRESS_EVERY_MS); }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#operation = { ...this.#operation, lastSeq: this.#lastSeq };
    this.#store.operations.put(this.#operation, this.#request);
    if (this.#unsaved.length > 0) {
      this.#store.operations.appendLog(this.id, this.#unsaved);
      this.#unsaved = [];
      if (this.#lastSeq % 500 === 0) this.#store.operations.trimLog(this.id, KEEP_LOG_LINES);
    }
    this.#onEvent({ kind: 'operation', operation: this.#operation });
  }
}
