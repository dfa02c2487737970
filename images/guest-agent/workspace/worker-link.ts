import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { VesselError } from '#shared/vessel-error.ts';
import type { GuestEnvironment } from '../guest/environment.ts';
import { log } from '../log.ts';
import { DATA_FD, type WorkerReply, type WorkerRequest, type WorkerResults } from './worker-messages.ts';

type Waiting = { resolve(result: unknown): void; reject(error: unknown): void };

/** The agent's end of the workspace worker: keeps one running and serves one request after the other. */
export class WorkerLink {
  readonly #argv: readonly string[];
  readonly #environment: GuestEnvironment;
  #child: ChildProcess | null = null;
  #waiting: Waiting | null = null;
  #stopped = false;
  /** The queue: resolves when the request before is over. */
  #turn: Promise<void> = Promise.resolve();

  constructor(argv: readonly string[], environment: GuestEnvironment) {
    this.#argv = argv;
    this.#environment = environment;
  }

  start(): void {
    const child = spawn(this.#argv[0] ?? '', this.#argv.slice(1), {
      cwd: '/', env: { ...this.#environment.variables({}), ...(process.env['TMPDIR'] === undefined ? {} : { TMPDIR: process.env['TMPDIR'] }) },
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'], ...this.#environment.credentials(),
    });
    this.#child = child;
    // A write to a worker that just died: its exit is what gets reported.
    child.stdin?.on('error', () => undefined);
    if (child.stdout !== null) createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', (line) => {
      const waiting = this.#waiting;
      this.#waiting = null;
      const reply = JSON.parse(line) as WorkerReply;
      if (reply.ok) waiting?.resolve(reply.result);
      else waiting?.reject(VesselError.fromShape(reply.error));
    });
    const gone = (why: string): void => {
      // A worker that was replaced already is nobody's concern.
      if (this.#child !== child) return;
      this.#replace(why);
    };
    child.on('error', (error) => { if (child.pid === undefined) { this.#stopped = true; gone(error.message); } });
    child.on('exit', (code, signal) => gone(signal ?? `exit code ${code}`));
  }

  /** Fails the request under way, if any, and starts a new worker unless the agent stops. */
  #replace(why: string): void {
    this.#child = null;
    this.#waiting?.reject(new VesselError('INTERNAL', `the workspace worker ended (${why})`, { retryable: true }));
    this.#waiting = null;
    if (this.#stopped) return;
    log(`the workspace worker is started again (${why})`);
    this.start();
  }

  /** Ends the request under way by ending the worker; a new one takes the next request. */
  abort(): void {
    this.#child?.kill('SIGKILL');
    this.#replace('a request was given up');
  }

  stop(): void {
    this.#stopped = true;
    this.#child?.kill('SIGKILL');
  }

  /** Runs `use` alone, with the function to ask the worker and the stream of archive bytes. Requests queue up. */
  async exclusively<T>(use: (ask: <O extends WorkerRequest['op']>(request: Extract<WorkerRequest, { op: O }>) => Promise<WorkerResults[O]>, data: Readable) => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve: release } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      const child = this.#child;
      const data = child?.stdio[DATA_FD];
      if (child === null || data === null || data === undefined) throw new VesselError('INTERNAL', 'the workspace worker does not run', { retryable: true });
      const ask = (request: WorkerRequest): Promise<never> => new Promise((resolve, reject) => {
        if (this.#child !== child) {
          reject(new VesselError('INTERNAL', 'the workspace worker ended', { retryable: true }));
          return;
        }
        this.#waiting = { resolve: resolve as (result: unknown) => void, reject };
        child.stdin?.write(`${JSON.stringify(request)}\n`);
      });
      return await use(ask, data as Readable);
    } finally {
      release();
    }
  }
}
