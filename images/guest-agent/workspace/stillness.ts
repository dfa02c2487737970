import { log, messageOf } from '../log.ts';
import { signalProcess } from '../guest/end-programs.ts';
import { personsProcesses, type ProgramScope } from '../guest/programs.ts';

/** Keeps every program from changing the workspace, and lets them go on. */
export type Freezer = { freeze(): Promise<void>; thaw(): Promise<void> };

/**
 * Holds the workspace still for as long as somebody says so at least every few seconds: a desktop that is gone must not leave a frozen machine behind.
 * Each hold has a number of its own, so that one that lapsed and was taken anew is told from one that lasted.
 */
export class Stillness {
  readonly #freezer: Freezer;
  #hold: number | null = null;
  #count = 0;
  #lease: NodeJS.Timeout | null = null;
  /** Freezing and thawing never overlap. */
  #turn: Promise<void> = Promise.resolve();

  constructor(freezer: Freezer) {
    this.#freezer = freezer;
  }

  /** The number of the hold; null while everything goes on. */
  get hold(): number | null {
    return this.#hold;
  }

  /** Freezes, or goes on holding. Ends by itself after `leaseMs` without another call. Resolves with the hold's number once nothing moves. Throws when it cannot be done. */
  async keep(leaseMs: number): Promise<number> {
    await this.#exclusively(async () => {
      if (this.#hold === null) {
        await this.#freezer.freeze();
        this.#count += 1;
        this.#hold = this.#count;
      }
      if (this.#lease !== null) clearTimeout(this.#lease);
      this.#lease = setTimeout(() => {
        log('nobody holds the workspace still any more: everything goes on');
        this.release().catch((error: unknown) => log(`letting go: ${messageOf(error)}`));
      }, leaseMs);
    });
    return this.#count;
  }

  /** Lets everything go on. Nothing to do is fine. */
  async release(): Promise<void> {
    await this.#exclusively(async () => {
      if (this.#lease !== null) clearTimeout(this.#lease);
      this.#lease = null;
      if (this.#hold === null) return;
      await this.#freezer.thaw();
      this.#hold = null;
    });
  }

  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** More rounds than any honest program needs to be caught. */
const MAX_ROUNDS = 50;

/**
 * The process driver's way, where the file system is the host's and must never be frozen: stops the programs one by one until none is left running.
 */
export function stoppingFreezer(scope: ProgramScope): Freezer {
  const stopped = new Set<number>();
  const thaw = (): Promise<void> => {
    for (const pid of stopped) signalProcess(pid, 'SIGCONT');
    stopped.clear();
    return Promise.resolve();
  };
  return {
    thaw,
    async freeze() {
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const moving = personsProcesses(scope).filter((one) => !one.stopped);
        if (moving.length === 0) return;
        for (const { pid } of moving) {
          signalProcess(pid, 'SIGSTOP');
          stopped.add(pid);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      await thaw();
      throw new Error('programs are started faster than they can be stopped');
    },
  };
}
