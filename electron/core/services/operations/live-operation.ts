import { ERROR_LIMITS } from '#shared/bounded-error.ts';
import { VesselError } from '#shared/errors.ts';
import type { LogLine, Operation, OperationEvent, Step, StepState } from '#shared/operation.ts';
import { overallProgress, pendingStep } from '../../domain/progress.ts';
import { storedDetails, storedLine, storedText } from '../../domain/stored-text.ts';
import type { Runtime } from '../../ports/runtime.ts';
import type { OperationRequest, Store } from '../../ports/store.ts';
import type { OperationDefinition } from './definition.ts';

/** Progress reaches SQLite and watchers at most this often; changes of state at once. */
const PROGRESS_EVERY_MS = 200;
/** Lines kept per operation: enough for the worst provisioning, small in the database. */
export const KEEP_LOG_LINES = 2000;
const TAIL_LINES = 20;
/** Bytes of log kept per operation: what its lines come to when they are all long. */
export const KEEP_LOG_BYTES = 1024 * 1024;
/** The log is cut when so many lines came since it was last. */
const TRIM_EVERY_LINES = 500;
const LINE_CHARS = 2000;
const DETAIL_CHARS = 500;
/** One call may bring the output of a program; more of it is a flood. */
const CALL_CHARS = 200_000;
/** Lines between two writes to the database: more than the log keeps. What comes faster is counted, not kept. */
const BURST_LINES = 5000;
const BURST_CHARS = KEEP_LOG_BYTES / 2;
/** A host's provisioning has about forty. */
const MAX_FOREIGN_STEPS = 200;

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
  #trimmedAt = 0;
  #leftOut = 0;
  #unsavedChars = 0;
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
    for (const text of raw.slice(0, CALL_CHARS).split('\n', BURST_LINES + 1)) {
      if (this.#unsaved.length >= BURST_LINES || this.#unsavedChars >= BURST_CHARS) this.#leftOut += 1;
      else this.#addLine(stepId, level, storedLine(text, LINE_CHARS));
    }
    this.#later();
  }

  #addLine(stepId: string | null, level: LogLine['level'], text: string): void {
    const line: LogLine = { seq: ++this.#lastSeq, at: this.#runtime.now(), stepId, level, text };
    this.#tail.push(text);
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    this.#unsaved.push(line);
    this.#unsavedChars += text.length;
    this.#onEvent({ kind: 'log', line });
  }

  /** Lines after `afterSeq`, stored or not yet stored. */
  logAfter(afterSeq: number): readonly LogLine[] {
    return [...this.#store.operations.log(this.id, afterSeq), ...this.#unsaved.filter((line) => line.seq > afterSeq)];
  }

  stepStarted(id: string): void { this.#changeStep(id, { state: 'running', startedAt: this.#runtime.now() }); this.#flush(); }

  stepProgress(id: string, fraction: number, detail: string | undefined): void {
    this.#changeStep(id, { progress: Math.min(1, Math.max(0, fraction)), ...(detail === undefined ? {} : { detail: storedLine(detail, DETAIL_CHARS) }) });
    this.#later();
  }

  stepEnded(id: string, state: Exclude<StepState, 'pending' | 'running'>, detail: string | undefined): void {
    const known = this.#operation.steps.find((step) => step.id === id);
    this.#changeStep(id, {
      state, endedAt: this.#runtime.now(), progress: state === 'done' || state === 'skipped' ? 1 : known?.progress ?? 0,
      ...(detail === undefined ? {} : { detail: storedLine(detail, DETAIL_CHARS) }),
    });
    this.#flush();
  }

  showSteps(steps: readonly Step[]): void {
    this.#operation = { ...this.#operation, steps: steps.slice(0, MAX_FOREIGN_STEPS).map((step) => ({ ...step, id: storedLine(step.id, LINE_CHARS), title: storedLine(step.title, DETAIL_CHARS), detail: storedLine(step.detail, DETAIL_CHARS) })) };
    this.#recount();
    this.#later();
  }

  succeed(result: unknown): void {
    this.#end({ state: 'succeeded', progress: 1, result: result ?? null });
  }

  fail(error: VesselError): void {
    const shape = error.toShape();
    const logTail = shape.logTail.length > 0 ? shape.logTail.map((line) => storedLine(line, LINE_CHARS)) : [...this.#tail];
    this.#end({ state: error.code === 'CANCELLED' ? 'cancelled' : 'failed', error: { ...shape, message: storedText(shape.message, ERROR_LIMITS.messageChars), hint: storedText(shape.hint, ERROR_LIMITS.hintChars), details: storedDetails(shape.details), logTail } });
  }

  #end(change: Partial<Operation>): void {
    const now = this.#runtime.now();
    const rest: StepState = change.state === 'succeeded' ? 'skipped' : 'cancelled';
    const steps = this.#operation.steps.map((step): Step => (step.state === 'running' ? { ...step, state: rest, endedAt: now } : step));
    this.#operation = { ...this.#operation, steps, cancellable: false, endedAt: now, ...change };
    this.#flush();
    if (this.#unsaved.length === 0) this.#trim();
  }

  #changeStep(id: string, change: Partial<Step>): void {
    this.#operation = { ...this.#operation, steps: this.#operation.steps.map((step) => (step.id === id ? { ...step, ...change } : step)) };
    this.#recount();
  }

  #recount(): void { this.#operation = { ...this.#operation, progress: overallProgress(this.#operation.steps) }; }

  #trim(): void {
    this.#store.operations.trimLog(this.id, KEEP_LOG_LINES, KEEP_LOG_BYTES);
    this.#trimmedAt = this.#lastSeq;
  }

  #later(): void { this.#timer ??= setTimeout(() => this.#flush(), PROGRESS_EVERY_MS); }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#leftOut > 0) this.#addLine(null, 'warn', `… ${this.#leftOut} more lines came too fast and were left out`);
    this.#leftOut = 0;
    this.#operation = { ...this.#operation, lastSeq: this.#lastSeq };
    try {
      this.#store.operations.put(this.#operation, this.#request);
      if (this.#unsaved.length > 0) {
        this.#store.operations.appendLog(this.id, this.#unsaved);
        this.#unsaved = [];
        this.#unsavedChars = 0;
        if (this.#lastSeq - this.#trimmedAt >= TRIM_EVERY_LINES) this.#trim();
      }
    } catch (error) {
      // How far it is need not be written down for it to go on; whoever watches sees it all the same, and the next change tries again.
      if (VesselError.from(error).code !== 'DISK_FULL') throw error;
      this.#runtime.log(`the state of "${this.#operation.title}" is not stored: the disk is full`);
      this.#unsaved = this.#unsaved.slice(-KEEP_LOG_LINES);
    }
    this.#onEvent({ kind: 'operation', operation: this.#operation });
  }
}
