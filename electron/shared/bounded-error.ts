import type { ErrorShape } from './error-shape.ts';
import { clamp } from './visible-text.ts';

/** What one error may hold. Every error that is stored or sent has passed here, whoever made it: 50 of them are the first message of a window. */
export const ERROR_LIMITS = { messageChars: 4000, hintChars: 1000, detailsChars: 8000, detailKeys: 40, keyChars: 100, tailLines: 50, tailChars: 12_000, lineChars: 1000 } as const;

/** Names that mean something to JavaScript when a record is copied. */
const MEANT_FOR_OBJECTS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** `shape` within {@link ERROR_LIMITS}: texts are cut, details that do not fit are left out, the last lines of the log are kept. */
export function boundedError<S extends ErrorShape>(shape: S): S {
  return { ...shape, message: clamp(shape.message, ERROR_LIMITS.messageChars), hint: clamp(shape.hint, ERROR_LIMITS.hintChars), details: boundedDetails(shape.details), logTail: boundedTail(shape.logTail) };
}

function boundedDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  let room: number = ERROR_LIMITS.detailsChars;
  for (const [key, value] of Object.entries(details).slice(0, ERROR_LIMITS.detailKeys)) {
    if (MEANT_FOR_OBJECTS.has(key) || key.length > ERROR_LIMITS.keyChars) continue;
    const fitting = typeof value === 'string' ? clamp(value, Math.max(1, room)) : value;
    const size = key.length + sizeOf(fitting);
    if (size > room) continue;
    room -= size;
    kept[key] = fitting;
  }
  return kept;
}

/** Of its JSON; endless for what has none. */
function sizeOf(value: unknown): number {
  try {
    return JSON.stringify(value)?.length ?? 0;
  } catch {
    return Infinity; // a circle, or nested deeper than the stack: left out
  }
}

function boundedTail(lines: readonly string[]): string[] {
  const kept: string[] = [];
  let room: number = ERROR_LIMITS.tailChars;
  for (const line of lines.slice(-ERROR_LIMITS.tailLines).reverse()) {
    const cut = clamp(line, ERROR_LIMITS.lineChars);
    room -= cut.length;
    if (room < 0) break;
    kept.unshift(cut);
  }
  return kept;
}
