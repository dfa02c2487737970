import { boundedError } from './bounded-error.ts';
import { ERROR_CODES, type ErrorCode } from './error-codes.ts';
import type { ErrorShape } from './error-shape.ts';

export type VesselErrorOptions = {
  readonly cause?: unknown;
  readonly hint?: string;
  readonly retryable?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly logTail?: readonly string[];
};

/** The only error type that Vessel throws on purpose. Anything else that surfaces is a defect and becomes INTERNAL. */
export class VesselError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
  readonly logTail: readonly string[];

  constructor(code: ErrorCode, message?: string, options: VesselErrorOptions = {}) {
    super(message ?? ERROR_CODES[code].title, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'VesselError';
    this.code = code;
    this.hint = options.hint ?? ERROR_CODES[code].hint;
    this.retryable = options.retryable ?? ERROR_CODES[code].retryable;
    this.details = options.details ?? {};
    this.logTail = options.logTail ?? [];
  }

  /** How it crosses a boundary or is stored: never longer than the limits of `bounded-error.ts`. */
  toShape(): ErrorShape {
    return boundedError({ code: this.code, message: this.message, hint: this.hint, retryable: this.retryable, details: { ...this.details }, logTail: [...this.logTail] });
  }

  static fromShape(shape: ErrorShape): VesselError {
    return new VesselError(shape.code, shape.message, shape);
  }

  /** Any thrown thing as a VesselError: a VesselError stays itself, an abort becomes CANCELLED, ENOSPC becomes DISK_FULL, the rest INTERNAL. */
  static from(error: unknown): VesselError {
    if (error instanceof VesselError) return error;
    if (error instanceof Error) {
      if (error.name === 'AbortError') return new VesselError('CANCELLED', undefined, { cause: error });
      const code = (error as { readonly code?: unknown }).code;
      if (code === 'ENOSPC' || code === 'EDQUOT') return new VesselError('DISK_FULL', error.message, { cause: error });
      return new VesselError('INTERNAL', error.message, { cause: error });
    }
    return new VesselError('INTERNAL', String(error));
  }
}
