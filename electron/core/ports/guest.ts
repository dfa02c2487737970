import type { Readable } from 'node:stream';
import type { ExcludeConfig } from '#shared/archive-rules.ts';
import type { GuestActivity, GuestHealth, GuestMetrics, GuestPrograms, WorkspaceInResult, WorkspaceOutSummary } from '#shared/guest-protocol.ts';

export type GuestCallOptions = { readonly signal?: AbortSignal };

export type GuestExec = {
  readonly pid: number;
  /** Output as it comes; ends after the exit. What is not read here is not taken from the guest, beyond about a megabyte. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>;
  readonly exit: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Resolves when the guest has room for more, or the command has ended. */
  write(data: Buffer): Promise<void>;
  endInput(): void;
  signal(name: string): void;
  resize(cols: number, rows: number): void;
  /** Drops the connection; the guest then ends the command. */
  close(): void;
};
export type GuestExecRequest = {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly pty: { readonly cols: number; readonly rows: number } | null;
};

/**
 * One guest's agent. Every call throws GUEST_UNREACHABLE, GUEST_UNAUTHORIZED, GUEST_TIMEOUT or what the agent answered;
 * CANCELLED when the signal aborts.
 */
export type GuestClient = {
  health(options?: GuestCallOptions): Promise<GuestHealth>;
  /** `look`: every entry is compared with how it lay at the last save, so that the counter also covers what is written through memory maps. Takes longer in large trees. */
  activity(options?: GuestCallOptions & { readonly look?: boolean }): Promise<GuestActivity>;
  metrics(options?: GuestCallOptions): Promise<GuestMetrics>;
  ports(options?: GuestCallOptions): Promise<readonly { readonly port: number; readonly address: string; readonly process: string | null }[]>;
  /** Fills the empty workspace from a zip. */
  putWorkspace(zip: Readable, options: GuestCallOptions & { readonly links: 'refuse' | 'keep'; readonly bytes: number | null; readonly maxBytes: number; readonly maxEntries: number }): Promise<WorkspaceInResult>;
  /**
   * The stored zip of the workspace; `summary` resolves after the last byte, or rejects when the stream was cut. Beyond the limits nothing is read
   * (ARCHIVE_TOO_LARGE); what cannot be read or kept is named (SAVE_INCOMPLETE).
   */
  saveWorkspace(exclude: ExcludeConfig, limits: { readonly maxBytes: number; readonly maxEntries: number }, options?: GuestCallOptions): Promise<{ readonly content: Readable; readonly summary: Promise<WorkspaceOutSummary> }>;
  /** What a person runs inside, and what changes in the workspace within `watchMs`. An agent of an older image answers NOT_FOUND, here and below. */
  programs(watchMs: number, options?: GuestCallOptions): Promise<GuestPrograms>;
  /** Asks all of it to end and waits up to `waitMs`. */
  endPrograms(waitMs: number, options?: GuestCallOptions): Promise<GuestPrograms>;
  /** Nothing in the workspace moves for `leaseMs`, or until the next call; `hold` tells one hold from a later one. */
  holdStill(leaseMs: number, options?: GuestCallOptions): Promise<{ readonly hold: number }>;
  /** Lets everything go on. */
  release(options?: GuestCallOptions): Promise<void>;
  exec(request: GuestExecRequest, options?: GuestCallOptions): Promise<GuestExec>;
  /** Drops idle connections. */
  close(): void;
};

/** Makes a client for a guest that a host link can reach. */
export type GuestConnector = (target: { readonly dial: () => Promise<import('node:stream').Duplex>; readonly token: string }) => GuestClient;
