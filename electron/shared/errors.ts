import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from './error-codes.ts';
import type { ErrorShape } from './error-shape.ts';

// The table and the class live apart, without zod: the guest agent bundles them, and there zod would cost 12 MB and 80 ms of start-up.
export { ERROR_CODES, httpStatus, type ErrorCode } from './error-codes.ts';
export type { ErrorShape } from './error-shape.ts';
export { VesselError, type VesselErrorOptions } from './vessel-error.ts';

const codes = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

/** Reads an {@link ErrorShape}; a code that this version does not know is INTERNAL. */
export const ErrorShapeSchema = z.object({
  code: z.enum(codes).catch('INTERNAL'),
  message: z.string(),
  hint: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()).default({}),
  logTail: z.array(z.string()).default([]),
}) satisfies z.ZodType<ErrorShape>;
