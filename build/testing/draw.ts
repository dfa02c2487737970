import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

/** All of every sweep instead of a part: `npm run test:all`. */
export const SWEEPS_WHOLE = process.env['VESSEL_SWEEP'] === 'full';

let seed: string | null = null;

/** What decides which part is drawn: `VESSEL_SWEEP_SEED`, else the commit's hash, else (no repository) always the same. */
function sweepSeed(): string {
  if (seed !== null) return seed;
  const given = process.env['VESSEL_SWEEP_SEED'];
  if (given !== undefined && given !== '') return seed = given;
  try {
    return seed = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim().slice(0, 12);
  } catch {
    // A source archive without its history: a fixed part is better than none.
    return seed = 'no-commit';
  }
}

/** Which of `parts` shares this seed draws of the sweep `name`: 0 to parts - 1, each as likely. */
export const shareOf = (from: string, name: string, parts: number): number => createHash('sha256').update(`${from} ${name}`).digest().readUInt32BE() % parts;

/**
 * One of `parts` equal shares of a sweep, drawn by the commit's hash, so that the commits together try all of it. Every `parts`-th item, so that
 * a share covers the whole length; `name` makes sweeps of the same commit draw different shares. Says on stderr which share it is.
 */
export function draw<T>(name: string, items: readonly T[], parts: number): readonly T[] {
  if (SWEEPS_WHOLE || parts <= 1) return items;
  const share = shareOf(sweepSeed(), name, parts);
  const drawn = items.filter((_, index) => index % parts === share);
  process.stderr.write(`${name}: share ${share + 1} of ${parts}, ${drawn.length} of ${items.length} (again with VESSEL_SWEEP_SEED=${sweepSeed()}, whole with npm run test:all)\n`);
  return drawn;
}
