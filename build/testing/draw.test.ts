import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { shareOf } from './draw.ts';

const script = new URL('./draw.ts', import.meta.url).href;

/** What a run with this seed draws of 0…29 in three shares. */
function drawnBy(seed: string, extra: Readonly<Record<string, string>> = {}): readonly number[] {
  const code = `import { draw } from ${JSON.stringify(script)}; console.log(JSON.stringify(draw('numbers', Array.from({ length: 30 }, (_, n) => n), 3)));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, VESSEL_SWEEP: '', VESSEL_SWEEP_SEED: seed, ...extra } })) as readonly number[];
}

describe('a share of a sweep', () => {
  it('is the same for the same commit: every third of thirty', () => {
    const drawn = drawnBy('a1');
    expect(drawn).toEqual(Array.from({ length: 10 }, (_, n) => n * 3 + shareOf('a1', 'numbers', 3)));
    expect(drawnBy('a1')).toEqual(drawn);
  });

  it('falls on each share in the course of the commits, and differs between sweeps of one commit', () => {
    const commits = Array.from({ length: 60 }, (_, n) => `commit ${n}`);
    expect(new Set(commits.map((commit) => shareOf(commit, 'numbers', 7)))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
    expect(commits.some((commit) => shareOf(commit, 'one', 3) !== shareOf(commit, 'another', 3))).toBe(true);
  });

  it('is everything when everything was asked for', () => {
    expect(drawnBy('a1', { VESSEL_SWEEP: 'full' })).toHaveLength(30);
  });
});
