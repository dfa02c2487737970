import type { HostMessage, HostStep } from '#shared/host-protocol.ts';

/** The steps that happen on this side of the line, shown as one list with those of the host. */
export class StepBoard {
  readonly #own: HostStep[];
  #theirs: readonly HostStep[] = [];
  readonly #tell: (message: Extract<HostMessage, { type: 'steps' | 'stage' | 'log' }>) => void;

  constructor(own: readonly Pick<HostStep, 'id' | 'title' | 'weight'>[], tell: ((message: Extract<HostMessage, { type: 'steps' | 'stage' | 'log' }>) => void) | undefined) {
    this.#own = own.map((step) => ({ ...step, state: 'missing', plan: [], evidence: '' }));
    this.#tell = tell ?? (() => undefined);
  }

  get steps(): readonly HostStep[] { return [...this.#own, ...this.#theirs]; }
  get changed(): number { return this.#own.filter(({ state }) => state === 'done').length; }

  set(id: string, change: Partial<HostStep>): void {
    const index = this.#own.findIndex((step) => step.id === id);
    const step = this.#own[index];
    if (step === undefined) return;
    this.#own[index] = { ...step, ...change };
    this.#show();
  }

  /** Marks whatever was under way as failed. */
  fail(why: string): void {
    for (const [index, step] of this.#own.entries()) if (step.state === 'running') this.#own[index] = { ...step, state: 'failed', evidence: why };
    this.#show();
  }

  theirs(steps: readonly HostStep[]): void {
    this.#theirs = steps;
    this.#show();
  }

  /** What the host says during a request, seen as part of the whole. */
  readonly onMessage = (message: Extract<HostMessage, { type: 'steps' | 'stage' | 'log' }>): void => {
    if (message.type === 'steps') this.theirs(message.steps);
    else this.#tell(message);
  };

  #show(): void { this.#tell({ v: 1, type: 'steps', id: 0, steps: this.steps.map((step) => ({ ...step })) }); }
}
