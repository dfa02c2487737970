import type { HostMessage, HostMethod, HostParams, HostResult, HostStep, Vm } from '#shared/host-protocol.ts';
import type { hostMethods } from '#shared/host-protocol.ts';
import type { z } from 'zod';

export type LogLevel = Extract<HostMessage, { type: 'log' }>['level'];

/** What a request under way may tell its caller, and how it learns that the caller gave up. */
export type RequestContext = {
  readonly signal: AbortSignal;
  readonly steps: (steps: readonly HostStep[]) => void;
  readonly stage: (stage: string, progress: number) => void;
  readonly log: (level: LogLevel, text: string) => void;
};

/** One handler for every method of the protocol; a missing one does not compile. */
export type Host = {
  readonly [M in HostMethod]: (params: z.output<(typeof hostMethods)[M]['params']>, context: RequestContext) => Promise<HostResult<M>>;
} & {
  /** The VMs as they are now, for the watcher. */
  readonly watchVms: () => Promise<readonly Vm[]>;
  /** Ends work in the background; running VMs live on. */
  readonly close: () => Promise<void>;
};
export type { HostParams };
