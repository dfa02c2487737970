import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import { whyNoSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { BREAKS, LineBench, type SweptKind } from './line-bench.ts';

const KINDS: readonly SweptKind[] = ['open', 'save', 'close'];
/** While somebody repairs one of them. */
const ONLY = new RegExp(process.env['VESSEL_SWEEP_POINTS'] ?? '');
const SWEEP_DEADLINE_MS = 4 * 60_000;

/** The line, sshd, the agent and the host break at every step: at each point one of them, at the next point the next, so that each meets every operation. */
describeUnless(whyNoSshd(), 'a break on the way to a host over SSH', () => {
  let bench: LineBench;
  const passed = new Map<SweptKind, readonly string[]>();
  beforeAll(async () => {
    bench = await LineBench.start();
    for (const kind of KINDS) passed.set(kind, await bench.passedBy(kind));
  });
  afterAll(async () => { await bench.end(); });

  for (const [shift, kind] of KINDS.entries()) {
    it(`at every step of ${kind}: a clear state, nothing lost, nothing left after it is mended`, { timeout: SWEEP_DEADLINE_MS }, async (test) => {
      // The point after a step is that before the next.
      const points = (passed.get(kind) ?? []).filter((point) => !point.endsWith('.after'));
      const failures: string[] = [];
      for (const [index, point] of points.entries()) {
        if (!ONLY.test(point)) continue;
        const what = BREAKS[(index + shift) % BREAKS.length] ?? 'line';
        const began = Date.now();
        try {
          await bench.breakAt(kind, point, what);
        } catch (error) {
          failures.push(`${point}, ${what}: ${error instanceof Error ? error.message : String(error)}`);
          await bench.end();
          bench = await LineBench.start();
        }
        if (process.env['VESSEL_SWEEP_VERBOSE'] !== undefined) process.stderr.write(`${kind} ${point} ${what} ${Date.now() - began} ms ${failures.at(-1)?.startsWith(point) === true ? failures.at(-1) ?? '' : ''}\n`);
      }
      expect(failures).toEqual([]);
      await test.annotate(`${points.length} breaks`);
    });
  }
});
