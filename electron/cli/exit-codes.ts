import { ERROR_CODES, type ErrorCode } from '#shared/errors.ts';

/** What the process says to the shell. `docs/cli.md` prints this table. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  hostNotReady: 5,
  cancelled: 6,
  unreachable: 7,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: 'it worked',
  1: 'it failed; the error says why',
  2: 'the command line was wrong',
  3: 'no such project, operation, revision or environment',
  4: 'conflict: something else is working on it, or its state does not allow this',
  5: 'the host is not ready (not reached, not trusted, not provisioned, unsupported, out of resources)',
  6: 'cancelled',
  7: 'Vessel could not be reached or started',
};

/** The exit code of a failure, from the error table. */
export const exitCodeOf = (code: ErrorCode): ExitCode => ERROR_CODES[code].exit;

/** Signal numbers of Linux and macOS that a command can plausibly end with; an unknown name counts as SIGTERM. */
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGILL: 4, SIGTRAP: 5, SIGABRT: 6, SIGBUS: 7, SIGFPE: 8, SIGKILL: 9, SIGUSR1: 10, SIGSEGV: 11,
  SIGUSR2: 12, SIGPIPE: 13, SIGALRM: 14, SIGTERM: 15,
};

/** The shell's convention: 128 plus the signal's number. */
export const exitCodeOfSignal = (signal: string): number => 128 + (SIGNAL_NUMBERS[signal] ?? 15);
