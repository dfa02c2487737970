/** How long a guest may take. Milliseconds; each ends in GUEST_TIMEOUT. */
export type GuestPatience = {
  /** A small question, from asking to the last byte of the answer. */
  readonly questionMs: number;
  /** Silence in either direction while a workspace goes in or out. */
  readonly quietMs: number;
  /** From the last byte of an upload to the last byte of its answer. */
  readonly answerMs: number;
  /** Until the workspace is held still, or let go. */
  readonly stillMs: number;
  /** The body of a refusal. */
  readonly refusalMs: number;
  /** From dialing to a command that runs. */
  readonly startMs: number;
  /** In each such span {@link PACE_BYTES} of a workspace must move while nothing on our side holds them up: a byte now and then is not progress. */
  readonly paceMs: number;
};

export const PACE_BYTES = 64 * 1024;

export const GUEST_PATIENCE: GuestPatience = {
  // Answered from memory, and asked at most twice; an emulated guest under load still needs a few seconds at times.
  questionMs: 15_000,
  // Unpacking checks the whole archive before its first answer byte: minutes for a large one in emulation.
  quietMs: 300_000,
  answerMs: 900_000,
  // Before a file system is still it is written to its disk: minutes for gigabytes on a slow one.
  stillMs: 120_000,
  refusalMs: 10_000,
  // The agent answers once the process exists.
  startMs: 30_000,
  paceMs: 600_000,
};
