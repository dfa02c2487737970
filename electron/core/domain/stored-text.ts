import { ERROR_LIMITS } from '#shared/bounded-error.ts';
import { clamp, visible, visibleLine } from '#shared/visible-text.ts';
import { redact } from './redact.ts';

/** So much is looked through for secrets: one that begins before the end of what is kept lies within it. */
const LOOKED_THROUGH = 4;

/** Text as it is stored and shown: without secrets and control characters, at most `max` characters. */
export const storedText = (text: string, max: number): string => clamp(visible(redact(text.slice(0, max * LOOKED_THROUGH))), max);
/** The same on one line. */
export const storedLine = (text: string, max: number): string => clamp(visibleLine(redact(text.slice(0, max * LOOKED_THROUGH))), max);

/** Details with their texts as they are stored, however deep they lie. */
export function storedDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(details), (_key, value: unknown) => (typeof value === 'string' ? storedText(value, ERROR_LIMITS.detailsChars) : value)) as Record<string, unknown>;
}
