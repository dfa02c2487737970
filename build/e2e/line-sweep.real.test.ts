import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeUnless } from '../testing/describe-unless.ts';
import { draw, SWEEPS_WHOLE } from '../testing/draw.ts';
import { whyNoSshd } from '../../electron/core/adapters/ssh/testing/sshd.ts';
import { BREAKS, LineBench, type SweptKind } from './line-bench.ts';

const KINDS: readonly SweptKind[] = ['open', 'save', 'close'];
/** While somebody repairs one of them: matched against `<point> <break>`. */
const ONLY = new RegExp(process.env['VESSEL_SWEEP_POINTS'] ?? '');
/** Every break at every point takes a quarter of an hour; seven commits share it: a number that four breaks do not divide, so that a share meets all of them. */
const PARTS = 7;
const SWEEP_DEADLINE_MS = SWEEPS_WHOLE ? 20 * 60_000 : 8 * 60_000;

/** The line, sshd, the agent and the host break at every step: each break at each point, of which a run draws its share. */
describeUnless(whyNoSshd(), 'a break on the way to a host over SSH', () => {
  let bench: LineBench;
  const passed = new Map<SweptKind, readonly string[]>();
  beforeAll(async () => {
    bench = await LineBench.start();
    for (const kind of KINDS) {
      const all = await bench.passedBy(kind);
      // The point after a step is that before the next; only the last has none.
      passed.set(kind, all.filter((point, index) => !point.endsWith('.after') || index === all.length - 1));
    }
  });
  afterAll(async () => { await bench.end(); });

  for (const kind of KINDS) {
    it(`at every step of ${kind}: a clear state, nothing lost, nothing left after it is mended`, { timeout: SWEEP_DEADLINE_MS, retry: 0 }, async (test) => {
      const all = (passed.get(kind) ?? []).flatMap((point) => BREAKS.map((what) => ({ point, what })));
      const drawn = draw(`break the line in ${kind}`, all, PARTS).filter(({ point, what }) => ONLY.test(`${point} ${what}`));
      const failures: string[] = [];
      for (const { point, what } of drawn) {
        const started = Date.now();
        const failure = await bench.breakAt(kind, point, what).then(() => null, (error: unknown) => `${point}, ${what}: ${error instanceof Error ? error.message : String(error)}`);
        if (process.env['VESSEL_SWEEP_VERBOSE'] !== undefined) process.stderr.write(`${kind} ${point} ${what} ${Date.now() - started} ms ${failure ?? ''}\n`);
        if (failure === null) continue;
        failures.push(failure);
        await bench.end();
        bench = await LineBench.start();
      }
      expect(failures).toEqual([]);
      if (ONLY.source === '(?:)') expect(drawn.length).toBeGreaterThanOrEqual(BREAKS.length);
      await test.annotate(`${drawn.length} of ${all.length} breaks`);
    });
  }
});
