import type { ErrorCode } from './error-codes.ts';

/** How an error crosses every boundary (WebSocket, HTTP, JSON lines, SQLite). `errors.ts` holds its schema. */
export type ErrorShape = {
  code: ErrorCode;
  message: string;
  hint: string;
  retryable: boolean;
  /** Redacted facts that help to decide: paths, sizes, names. Never secrets. */
  details: Record<string, unknown>;
  /** The last redacted log lines before the failure, oldest first. */
  logTail: string[];
};
