import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import { whyNoSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { BREAKS, LineBench, type SweptKind } from './line-bench.ts';

const KINDS: readonly SweptKind[] = ['open', 'save', 'close'];
/** Every break at every point takes a quarter of an hour: `VESSEL_SWEEP=full`. */
const FULL = process.env['VESSEL_SWEEP'] === 'full';
/** While somebody repairs one of them: matched against `<point> <break>`. */
const ONLY = new RegExp(process.env['VESSEL_SWEEP_POINTS'] ?? '');
/** What `npm test` gives to all of it. The first round is run whole in any case; it takes half of that. */
const BUDGET_MS = 6 * 60_000;
const SWEEP_DEADLINE_MS = FULL ? 20 * 60_000 : 8 * 60_000;

/**
 * The line, sshd, the agent and the host break at every step. Four rounds go over all points: in each, every point meets one of the breaks and the next
 * point the next, so that after four every break was at every point. They go on until the time is spent.
 */
describeUnless(whyNoSshd(), 'a break on the way to a host over SSH', () => {
  let bench: LineBench;
  let began = 0;
  const passed = new Map<SweptKind, readonly string[]>();
  beforeAll(async () => {
    bench = await LineBench.start();
    for (const kind of KINDS) {
      const all = await bench.passedBy(kind);
      // The point after a step is that before the next; only the last has none.
      passed.set(kind, all.filter((point, index) => !point.endsWith('.after') || index === all.length - 1));
    }
    began = Date.now();
  });
  afterAll(async () => { await bench.end(); });

  const pointsUpTo = (last: number): number => KINDS.slice(0, last + 1).reduce((sum, kind) => sum + (passed.get(kind)?.length ?? 0), 0);

  for (const [shift, kind] of KINDS.entries()) {
    it(`at every step of ${kind}: a clear state, nothing lost, nothing left after it is mended`, { timeout: SWEEP_DEADLINE_MS }, async (test) => {
      const points = passed.get(kind) ?? [];
      const until = FULL ? Infinity : began + BUDGET_MS * pointsUpTo(shift) / pointsUpTo(KINDS.length - 1);
      const failures: string[] = [];
      let met = 0;
      for (let round = 0; round < BREAKS.length; round += 1) {
        for (const [index, point] of points.entries()) {
          const what = BREAKS[(index + shift + round) % BREAKS.length] ?? 'line';
          if (!ONLY.test(`${point} ${what}`) || (round > 0 && Date.now() > until)) continue;
          const started = Date.now();
          const failure = await bench.breakAt(kind, point, what).then(() => null, (error: unknown) => `${point}, ${what}: ${error instanceof Error ? error.message : String(error)}`);
          met += 1;
          if (process.env['VESSEL_SWEEP_VERBOSE'] !== undefined) process.stderr.write(`${kind} ${point} ${what} ${Date.now() - started} ms ${failure ?? ''}\n`);
          if (failure === null) continue;
          failures.push(failure);
          await bench.end();
          bench = await LineBench.start();
        }
      }
      expect(failures).toEqual([]);
      expect(met).toBeGreaterThanOrEqual(ONLY.source === '(?:)' ? points.length : 0);
      await test.annotate(`${met} of ${points.length * BREAKS.length} breaks`);
    });
  }
});
