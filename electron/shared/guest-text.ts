import { z } from 'zod';
import { boundedError } from './bounded-error.ts';
import type { ErrorCode } from './error-codes.ts';
import { VesselError } from './vessel-error.ts';
import { clamp, visible, visibleLine } from './visible-text.ts';

/**
 * Where everything that a guest says enters Vessel. The code in an environment may have replaced the agent: each text has a
 * length and no control characters, each list an end, each number a range, each error a code that a guest may use.
 */
export const GUEST_LIMITS = {
  /** The longest answer; the largest honest ones are lists of listening ports. */
  answerBytes: 256 * 1024, depth: 24, headerBytes: 24 * 1024,
  messageChars: 2000, detailChars: 500, details: 12, tailLines: 20, lineChars: 400,
} as const;

/** One line; what is longer is cut. */
export const guestLine = (max: number) => z.preprocess((value) => (typeof value === 'string' ? visibleLine(clamp(value, max)) : value), z.string().max(max));
/** Only the first `max` items count. */
export const guestList = <T extends z.ZodType>(item: T, max: number) => z.preprocess((value: unknown) => (Array.isArray(value) ? value.slice(0, max) as unknown[] : value), z.array(item).max(max));
export const guestCount = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Bytes, loads, percents. */
export const guestNumber = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
/** Unix milliseconds, as far as a Date reaches. */
export const guestTime = z.number().min(0).max(8.64e15);

/** What a guest may call a failure; `CANCELLED` or `HOST_KEY_CHANGED` are for others to say. */
const GUEST_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'BAD_REQUEST', 'NOT_FOUND', 'CONFLICT', 'GUEST_UNAUTHORIZED', 'GUEST_PORT_CLOSED', 'GUEST_PORT_FAILED', 'IDE_NOT_READY', 'EXEC_FAILED', 'ARCHIVE_CORRUPT', 'ARCHIVE_UNSAFE', 'ARCHIVE_TOO_LARGE', 'SAVE_INCOMPLETE', 'DISK_FULL',
]);

/** JSON of a guest as a value, or undefined when it is none, too long or too deep. */
export function parseGuestJson(body: Uint8Array): unknown {
  if (body.length > GUEST_LIMITS.answerBytes || depthOf(body) > GUEST_LIMITS.depth) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined; // the schema that follows says so in the caller's words
  }
}

function depthOf(body: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inText = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (inText) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x5b || byte === 0x7b) { depth += 1; deepest = Math.max(deepest, depth); }
    else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return deepest;
}

const GuestErrorSchema = z.object({
  code: z.string(), message: z.string(), details: z.record(z.string(), z.unknown()).optional().catch(undefined), logTail: z.array(z.unknown()).optional().catch(undefined),
});

/**
 * The failure that a guest names. Fix and retryable are those of our own table: a hint tells people what to do next. A code that
 * a guest may not use becomes GUEST_ERROR; what is no error at all gives null.
 */
export function guestFailure(value: unknown): VesselError | null {
  const parsed = GuestErrorSchema.safeParse(value);
  if (!parsed.success) return null;
  const { code, message, details, logTail } = parsed.data;
  const known = GUEST_CODES.has(code) ? (code as ErrorCode) : 'GUEST_ERROR';
  const text = visible(clamp(message, GUEST_LIMITS.messageChars));
  const bounded = boundedError({ ...new VesselError(known, text === '' ? undefined : text).toShape(), details: plainDetails(details ?? {}), logTail: tailOf(logTail ?? []) });
  return VesselError.fromShape(bounded);
}

/** Facts are texts, numbers and answers to yes or no. */
function plainDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: [string, unknown][] = [];
  for (const [key, value] of Object.entries(details).slice(0, GUEST_LIMITS.details)) {
    if (typeof value === 'string') kept.push([visibleLine(clamp(key, 60)), visibleLine(clamp(value, GUEST_LIMITS.detailChars))]);
    else if ((typeof value === 'number' && Number.isFinite(value)) || typeof value === 'boolean') kept.push([visibleLine(clamp(key, 60)), value]);
  }
  return Object.fromEntries(kept);
}

const tailOf = (lines: readonly unknown[]): string[] => lines.slice(-GUEST_LIMITS.tailLines).flatMap((line) => (typeof line === 'string' ? [visibleLine(clamp(line, GUEST_LIMITS.lineChars))] : []));

/** A line of a guest's console, and what one look at it may hold. */
const LOG_LINE_CHARS = 4000;
const LOG_CHARS = 1024 * 1024;

/** The newest lines of a guest's console or log. */
export function guestLines(lines: readonly string[]): string[] {
  const kept: string[] = [];
  let room = LOG_CHARS;
  for (let at = lines.length - 1; at >= 0 && room > 0; at -= 1) {
    const line = visibleLine(clamp(lines[at] ?? '', LOG_LINE_CHARS));
    room -= line.length + 1;
    kept.push(line);
  }
  return kept.reverse();
}
