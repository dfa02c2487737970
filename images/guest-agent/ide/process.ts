import { spawn, type ChildProcess } from 'node:child_process';
import type { AgentConfig } from '../config.ts';
import type { GuestEnvironment } from '../guest/environment.ts';
import { MEMORY_SCORES, withScore } from '../guest/memory-scores.ts';
import type { MemoryWatch } from '../guest/memory-watch.ts';
import { errnoOf, log, messageOf } from '../log.ts';

/** Enough for the stack trace of a failed start. */
const LOG_RING_BYTES = 64 * 1024;
const FIRST_RESTART_DELAY_MS = 500;
const LAST_RESTART_DELAY_MS = 30_000;
/** A run this long counts as healthy: the next restart is quick again. */
const HEALTHY_RUN_MS = 60_000;

/** Sends a signal to a whole process group; a group that is gone already is fine. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') log(`signal ${signal} to group ${pid}: ${messageOf(error)}`);
  }
}

/** Keeps the IDE running in a process group of its own and its last output in memory. */
export class IdeProcess {
  readonly #config: AgentConfig;
  readonly #environment: GuestEnvironment;
  readonly #memory: MemoryWatch;
  #child: ChildProcess | null = null;
  #ring = '';
  #delayMs = FIRST_RESTART_DELAY_MS;
  #restart: NodeJS.Timeout | null = null;
  #stopped = false;
  #onStart: () => void = () => undefined;

  constructor(config: AgentConfig, environment: GuestEnvironment, memory: MemoryWatch) {
    this.#config = config;
    this.#environment = environment;
    this.#memory = memory;
  }

  /** The last output of the IDE, oldest first. */
  get logTail(): readonly string[] {
    return this.#ring.split('\n').filter((line) => line !== '');
  }

  /** The session of the IDE and all that it starts itself; null while it does not run. */
  get session(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Called at each start, also the ones after a crash. */
  onStart(listener: () => void): void {
    this.#onStart = listener;
  }

  start(): void {
    if (this.#stopped) return;
    const { ide, workspace } = this.#config;
    const startedAt = performance.now();
    const killsBefore = this.#memory.count;
    const child = withScore(MEMORY_SCORES.ide, () => spawn(ide.argv[0] ?? '', ide.argv.slice(1), {
      cwd: workspace, env: this.#environment.variables(ide.env), detached: true, stdio: ['ignore', 'pipe', 'pipe'], ...this.#environment.credentials(),
    }));
    this.#child = child;
    const keep = (chunk: Buffer): void => {
      this.#ring = (this.#ring + chunk.toString('utf8')).slice(-LOG_RING_BYTES);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    let ended = false;
    const end = (why: string): void => {
      if (ended) return;
      ended = true;
      // Extension hosts outlive their server: end the whole group before a new one starts.
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      this.#child = null;
      if (this.#stopped) return;
      this.#ring += `vessel-agent: the IDE ended: ${why}\n`;
      log(`the IDE ended: ${why}`);
      if (performance.now() - startedAt > HEALTHY_RUN_MS) this.#delayMs = FIRST_RESTART_DELAY_MS;
      this.#restart = setTimeout(() => this.start(), this.#delayMs);
      this.#delayMs = Math.min(this.#delayMs * 2, LAST_RESTART_DELAY_MS);
    };
    child.on('error', (error) => end(messageOf(error)));
    child.on('exit', (code, signal) => end((signal === 'SIGKILL' ? this.#memory.reasonSince(killsBefore) : null) ?? signal ?? `exit code ${code}`));
    this.#onStart();
  }

  /** Ends the IDE with everything it started, at once: its state is on disk or in the browser. */
  stop(): void {
    this.#stopped = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    if (this.#child?.pid !== undefined) signalGroup(this.#child.pid, 'SIGKILL');
  }
}
