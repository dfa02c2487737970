import type { ExcludeConfig } from '#shared/archive-rules.ts';
import { VesselError } from '#shared/vessel-error.ts';
import type { ArchiveLimits } from './archive-checks.ts';
import type { SaveLimits } from './survey.ts';

/** Above what a guest disk of 10 GB holds, and no archive of sources comes near. */
const DEFAULT_MAX_BYTES = 8 * 1024 ** 3;
const DEFAULT_MAX_ENTRIES = 500_000;

function positive(text: string | null, fallback: number, name: string): number {
  if (text === null || text === '') return fallback;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value <= 0) throw new VesselError('BAD_REQUEST', `${name} must be a positive integer`);
  return value;
}

/** The query of `PUT workspace`. `links` defaults to the safe choice. Throws BAD_REQUEST. */
export function parseLimits(query: URLSearchParams): ArchiveLimits {
  const links = query.get('links') ?? 'refuse';
  if (links !== 'refuse' && links !== 'keep') throw new VesselError('BAD_REQUEST', 'links must be refuse or keep');
  return { links, maxBytes: positive(query.get('maxBytes'), DEFAULT_MAX_BYTES, 'maxBytes'), maxEntries: positive(query.get('maxEntries'), DEFAULT_MAX_ENTRIES, 'maxEntries') };
}

/** The exclude configuration of a save request, by hand. Throws BAD_REQUEST. */
export function parseExclude(value: unknown): ExcludeConfig {
  if (typeof value !== 'object' || value === null) throw new VesselError('BAD_REQUEST', 'exclude must be an object');
  const { preset = 'safe', rules = [] } = value as { readonly preset?: unknown; readonly rules?: unknown };
  if (preset !== 'safe' && preset !== 'lean' && preset !== 'everything') throw new VesselError('BAD_REQUEST', 'exclude.preset must be safe, lean or everything');
  if (!Array.isArray(rules) || !rules.every((rule): rule is string => typeof rule === 'string')) throw new VesselError('BAD_REQUEST', 'exclude.rules must be a list of strings');
  return { preset, rules };
}

/** The limits of a save request. Without them nothing is refused here: the desktop still counts. Throws BAD_REQUEST. */
export function parseSaveLimits(value: unknown): SaveLimits {
  if (value === undefined) return { maxBytes: Number.MAX_SAFE_INTEGER, maxEntries: Number.MAX_SAFE_INTEGER };
  const { maxBytes, maxEntries } = (typeof value === 'object' && value !== null ? value : {}) as { readonly maxBytes?: unknown; readonly maxEntries?: unknown };
  const isCount = (item: unknown): item is number => typeof item === 'number' && Number.isSafeInteger(item) && item > 0;
  if (!isCount(maxBytes) || !isCount(maxEntries)) throw new VesselError('BAD_REQUEST', 'limits.maxBytes and limits.maxEntries must be positive integers');
  return { maxBytes, maxEntries };
}
