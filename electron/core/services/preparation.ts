import { VesselError } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import type { ServiceContext } from './context.ts';
import type { Hosts } from './hosts.ts';
import type { StepContext } from './operations/definition.ts';
import type { StartedOperation } from './operations/operations.ts';

/** The host that Vessel sets up without being asked: it is where Vessel itself runs. */
const LOCAL = 'local';

/** Sets this computer up in the background when Vessel starts, and makes openings wait for a host that is being set up. */
export class Preparation {
  readonly #context: ServiceContext;
  readonly #hosts: Hosts;
  #automatic = false;

  constructor(context: ServiceContext, hosts: Hosts) {
    this.#context = context;
    this.#hosts = hosts;
  }

  /** From now on this computer is set up without being asked, beginning at once. Returns immediately; what fails is an operation like any other. */
  begin(): void {
    this.#automatic = true;
    this.#hosts.refresh(LOCAL).then(({ status }) => { if (status === 'not-provisioned') this.#tell(this.#hosts.provision(LOCAL, [])); }).catch((error: unknown) => {
      const known = VesselError.from(error);
      if (known.code !== 'INTERRUPTED') this.#context.runtime.log(`setting up this computer: ${known.code} ${known.message}`);
    });
  }

  /** Says in the log, which a terminal shows, what is being done; the window has the operation itself. */
  #tell({ operationId, done }: StartedOperation): void {
    const { operations, runtime } = this.#context;
    const say = (text: string): void => runtime.log(`setting up this computer: ${text}`);
    const told = new Set<string>();
    const unsubscribe = operations.onChange(({ id, steps }) => {
      if (id !== operationId) return;
      for (const step of steps) {
        // Until the host tells its steps there is one, and its title says nothing new.
        if (step.id === 'provision' || step.state !== 'running' || told.has(step.id)) continue;
        told.add(step.id);
        say(step.title);
      }
    });
    done.then(({ state, error, startedAt, endedAt }) => {
      unsubscribe();
      if (error !== null) say(`${error.message} (${error.code}). ${error.hint}`);
      else say(`${state === 'succeeded' ? 'done' : state} after ${Math.round(((endedAt ?? startedAt) - startedAt) / 1000)} s`);
    }).catch((error: unknown) => say(VesselError.from(error).message));
  }

  /** Whether an opening on this host has to wait for its setup first. */
  concerns(hostId: string): boolean {
    return this.#active(hostId) !== null || (this.#automatic && hostId === LOCAL && this.#hosts.record(LOCAL).status !== 'ready');
  }

  /**
   * Waits for the setup of a host, and starts it where it has to be. Shows its progress as that of `step`; cancelling the step leaves the setup going.
   * Returns what was done. Throws what the setup failed with, CANCELLED.
   */
  async wait(hostId: string, step: Pick<StepContext<unknown>, 'signal' | 'progress' | 'log'>): Promise<string> {
    if (this.#active(hostId) === null) {
      const { status } = await this.#hosts.refresh(hostId, step.signal);
      if (status !== 'not-provisioned' || hostId !== LOCAL || !this.#automatic) return 'Already set up';
      this.#hosts.provision(hostId, []);
    }
    const running = this.#active(hostId);
    if (running === null) return 'Already set up';
    step.log(`Waiting for "${running.title}" (operation ${running.id})`);
    const show = (operation: Operation): void => {
      if (operation.id !== running.id) return;
      const current = operation.steps.find(({ state }) => state === 'running');
      step.progress(operation.progress, current === undefined ? operation.title : [current.title, current.detail].filter((text) => text !== '').join(': '));
    };
    show(running);
    const unsubscribe = this.#context.operations.onChange(show);
    try {
      const ended = await abortable(this.#context.operations.settled(running.id), step.signal);
      if (ended.error !== null) throw VesselError.fromShape(ended.error);
      return `Set up in ${Math.round(((ended.endedAt ?? ended.startedAt) - ended.startedAt) / 1000)} s`;
    } finally {
      unsubscribe();
    }
  }

  #active(hostId: string): Operation | null {
    const operation = this.#context.operations.active(null, hostId);
    return operation?.kind === 'provision' ? operation : null;
  }
}

/** The promise, or a rejection with the signal's own reason. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason instanceof VesselError ? signal.reason : new VesselError('CANCELLED'));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
