import type { ErrorCode } from '#shared/errors.ts';

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

/** Every code that is not simply "failed". */
const BY_ERROR: Readonly<Partial<Record<ErrorCode, ExitCode>>> = {
  BAD_REQUEST: EXIT.usage,
  NOT_FOUND: EXIT.notFound,
  VM_NOT_FOUND: EXIT.notFound,
  CONFLICT: EXIT.conflict,
  BUSY: EXIT.conflict,
  ILLEGAL_TRANSITION: EXIT.conflict,
  SAVE_CONFLICT: EXIT.conflict,
  VM_EXISTS: EXIT.conflict,
  ALREADY_RUNNING: EXIT.conflict,
  PORT_IN_USE: EXIT.conflict,
  REVISION_PROTECTED: EXIT.conflict,
  HOST_UNREACHABLE: EXIT.hostNotReady,
  HOST_NOT_READY: EXIT.hostNotReady,
  HOST_UNSUPPORTED: EXIT.hostNotReady,
  HOST_PERMISSION: EXIT.hostNotReady,
  HOST_RESOURCES: EXIT.hostNotReady,
  HOST_VERSION: EXIT.hostNotReady,
  IMAGE_MISSING: EXIT.hostNotReady,
  SSH_NAME_NOT_RESOLVED: EXIT.hostNotReady,
  SSH_REFUSED: EXIT.hostNotReady,
  SSH_TIMEOUT: EXIT.hostNotReady,
  SSH_HANDSHAKE_FAILED: EXIT.hostNotReady,
  SSH_CONFIG_INVALID: EXIT.usage,
  HOST_KEY_UNKNOWN: EXIT.hostNotReady,
  HOST_KEY_CHANGED: EXIT.hostNotReady,
  HOST_KEY_REVOKED: EXIT.hostNotReady,
  HOST_KEY_AUTHORITY: EXIT.hostNotReady,
  SSH_AUTH_FAILED: EXIT.hostNotReady,
  SSH_PASSPHRASE_NEEDED: EXIT.hostNotReady,
  SSH_PASSWORD_NEEDED: EXIT.hostNotReady,
  SSH_ANSWER_NEEDED: EXIT.hostNotReady,
  SSH_CONNECTION_LOST: EXIT.hostNotReady,
  SSH_SESSIONS_EXHAUSTED: EXIT.hostNotReady,
  FORWARDING_FORBIDDEN: EXIT.hostNotReady,
  SUDO_UNAVAILABLE: EXIT.hostNotReady,
  SUDO_PASSWORD_NEEDED: EXIT.hostNotReady,
  SHELL_JUNK: EXIT.hostNotReady,
  CANCELLED: EXIT.cancelled,
  SSH_PROMPT_CANCELLED: EXIT.cancelled,
  UNAUTHENTICATED: EXIT.unreachable,
  SERVER_UNREACHABLE: EXIT.unreachable,
  SERVER_START_FAILED: EXIT.unreachable,
};

export const exitCodeOf = (code: ErrorCode): ExitCode => BY_ERROR[code] ?? EXIT.failed;

/** Signal numbers of Linux and macOS that a command can plausibly end with; an unknown name counts as SIGTERM. */
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGILL: 4, SIGTRAP: 5, SIGABRT: 6, SIGBUS: 7, SIGFPE: 8, SIGKILL: 9, SIGUSR1: 10, SIGSEGV: 11,
  SIGUSR2: 12, SIGPIPE: 13, SIGALRM: 14, SIGTERM: 15,
};

/** The shell's convention: 128 plus the signal's number. */
export const exitCodeOfSignal = (signal: string): number => 128 + (SIGNAL_NUMBERS[signal] ?? 15);
