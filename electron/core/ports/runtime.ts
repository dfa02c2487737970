/** The small outside world every service needs; passed in, so that tests own the clock and the faults. */
export type Runtime = {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** A line for the log file or terminal; redacted by the implementation. */
  readonly log: (line: string) => void;
  /** A named boundary that the crash sweep may break (VESSEL_FAULT); does nothing otherwise. May throw, may never return. */
  readonly fault: (point: string) => void;
};
