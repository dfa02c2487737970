/** Order statistics of a sample, in the sample's unit. */
export type Stats = { readonly n: number; readonly median: number; readonly p95: number; readonly min: number; readonly max: number };

/** Throws RangeError for an empty sample: a bench without a measurement must not print a number. */
export function stats(sample: readonly number[]): Stats {
  if (sample.length === 0) throw new RangeError('nothing was measured');
  const sorted = [...sample].sort((a, b) => a - b);
  const at = (share: number): number => {
    const position = (sorted.length - 1) * share;
    const low = Math.floor(position);
    const lower = sorted[low] ?? Number.NaN;
    return lower + ((sorted[low + 1] ?? lower) - lower) * (position - low);
  };
  return { n: sorted.length, median: round(at(0.5)), p95: round(at(0.95)), min: round(at(0)), max: round(at(1)) };
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** Milliseconds that the work took, with its result. */
export async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const start = performance.now();
  const value = await work();
  return { ms: performance.now() - start, value };
}

/** Repeats sequentially and returns the milliseconds of each round; `after` runs outside the clock. */
export async function repeat<T>(rounds: number, work: (round: number) => Promise<T>, after?: (value: T, round: number) => Promise<void>): Promise<readonly number[]> {
  const sample: number[] = [];
  for (let index = 0; index < rounds; index += 1) {
    const { ms, value } = await timed(() => work(index));
    sample.push(ms);
    await after?.(value, index);
  }
  return sample;
}
