import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from './error-codes.ts';

// The table and the class live apart, without zod: the guest agent bundles them, and there zod would cost 12 MB and 80 ms of start-up.
export { ERROR_CODES, type ErrorCode } from './error-codes.ts';
export { VesselError, type VesselErrorOptions } from './vessel-error.ts';

const codes = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

/** How an error crosses every boundary (WebSocket, HTTP, JSON lines, SQLite). */
export const ErrorShapeSchema = z.object({
  code: z.enum(codes).catch('INTERNAL'),
  message: z.string(),
  hint: z.string(),
  retryable: z.boolean(),
  /** Redacted facts that help to decide: paths, sizes, names. Never secrets. */
  details: z.record(z.string(), z.unknown()).default({}),
  /** The last redacted log lines before the failure, oldest first. */
  logTail: z.array(z.string()).default([]),
});
export type ErrorShape = z.infer<typeof ErrorShapeSchema>;
