/** A started command, with or without a terminal. Output callbacks may pause it. */
export type RunningCommand = {
  readonly pid: number;
  /** False when the command is slow to read: wait for `onDrain`. */
  write(data: Buffer): boolean;
  endInput(): void;
  signal(name: NodeJS.Signals): void;
  resize(cols: number, rows: number): void;
  pause(): void;
  resume(): void;
};

export type CommandEvents = {
  onOutput(stream: 'stdout' | 'stderr', data: Buffer): void;
  onDrain(): void;
  /** After the last output. */
  onExit(code: number | null, signal: string | null): void;
};

export type CommandRequest = {
  /** Absolute path of the program. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly credentials: { readonly uid?: number; readonly gid?: number };
};
