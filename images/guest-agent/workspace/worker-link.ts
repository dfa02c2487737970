import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync, unlinkSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { VesselError } from '#shared/vessel-error.ts';
import type { GuestEnvironment } from '../guest/environment.ts';
import { log } from '../log.ts';
import { CHUNK_PREFIX, FREE_LINE, SLOT_BYTES, SLOTS, type ChunkLine, type WorkerReply, type WorkerRequest, type WorkerResults } from './worker-messages.ts';

/** Gets each piece of an archive; `done` gives the memory back, to be called once. */
export type OnChunk = (data: Buffer, done: () => void) => void;
type Waiting = { resolve(result: unknown): void; reject(error: unknown): void; readonly onChunk: OnChunk | null };
export type Ask = <O extends WorkerRequest['op']>(request: Extract<WorkerRequest, { op: O }>, onChunk?: OnChunk) => Promise<WorkerResults[O]>;

/** An unlinked file, in memory where the machine has that. */
function openRing(): number {
  const path = join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `vessel-ring-${randomUUID()}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}

/** The agent's end of the workspace worker: keeps one running and serves one request after the other. */
export class WorkerLink {
  readonly #argv: readonly string[];
  readonly #environment: GuestEnvironment;
  #child: ChildProcess | null = null;
  #waiting: Waiting | null = null;
  #ring: number | null = null;
  /** One for each slot, kept: fresh memory is dear in an emulated guest. */
  readonly #buffers: (Buffer | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  #stopped = false;
  /** The queue: resolves when the request before is over. */
  #turn: Promise<void> = Promise.resolve();

  constructor(argv: readonly string[], environment: GuestEnvironment) {
    this.#argv = argv;
    this.#environment = environment;
  }

  #onChunk(child: ChildProcess, { slot, bytes }: ChunkLine): void {
    const buffer = this.#buffers[slot] ??= Buffer.allocUnsafeSlow(SLOT_BYTES);
    const count = readSync(this.#ring ?? -1, buffer, 0, bytes, slot * SLOT_BYTES);
    this.#waiting?.onChunk?.(buffer.subarray(0, count), () => {
      if (this.#child === child) child.stdin?.write(`${FREE_LINE}\n`);
    });
  }

  start(): void {
    const ring = openRing();
    this.#ring = ring;
    const child = spawn(this.#argv[0] ?? '', this.#argv.slice(1), {
      // Nothing of the project's environment: it acts for root, and asks perl.
      cwd: '/', env: { PATH: this.#environment.systemPath, LANG: 'C.UTF-8', ...(process.env['TMPDIR'] === undefined ? {} : { TMPDIR: process.env['TMPDIR'] }) },
      stdio: ['pipe', 'pipe', 'inherit', ring],
    });
    this.#child = child;
    // A write to a worker that just died: its exit is what gets reported.
    child.stdin?.on('error', () => undefined);
    if (child.stdout !== null) createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', (line) => {
      if (this.#child !== child) return;
      if (line.startsWith(CHUNK_PREFIX)) {
        this.#onChunk(child, JSON.parse(line) as ChunkLine);
        return;
      }
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
    if (this.#ring !== null) closeSync(this.#ring);
    this.#ring = null;
    // The socket of a client that went away may still hold pieces of them.
    this.#buffers.fill(undefined);
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

  /** Runs `use` alone, with the function to ask the worker. Requests queue up. */
  async exclusively<T>(use: (ask: Ask) => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve: release } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    try {
      return await use((request, onChunk) => this.#ask(request, onChunk ?? null) as Promise<never>);
    } finally {
      release();
    }
  }

  #ask(request: WorkerRequest, onChunk: OnChunk | null): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#child === null) {
        reject(new VesselError('INTERNAL', 'the workspace worker does not run', { retryable: true }));
        return;
      }
      this.#waiting = { resolve, reject, onChunk };
      this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    });
  }
}
