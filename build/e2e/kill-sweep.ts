import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Operation } from '#shared/operation.ts';
import { draw, SWEEPS_WHOLE } from '../testing/draw.ts';
import { KillBench, type SweptKind, type Victim } from './kill-bench.ts';

const VICTIMS: readonly Victim[] = ['vessel', 'infra-agent', 'guest'];
const NAMES: Readonly<Record<Victim, string>> = { vessel: 'Vessel', 'infra-agent': 'infra-agent', guest: 'the guest\'s machine' };
const KINDS: readonly SweptKind[] = ['open', 'save', 'close'];
/** While somebody repairs one of them. */
const ONLY = new RegExp(process.env['VESSEL_SWEEP_POINTS'] ?? '');
const SWEEP_DEADLINE_MS = 5 * 60_000;

export type SweepOptions = {
  readonly driver: 'process' | 'qemu';
  /** Whether to kill at this point too; `points` are all points of the operation in their order. */
  readonly chosen: (point: string, points: readonly string[]) => boolean;
  /** How many commits share the sweep between them; see {@link draw}. */
  readonly parts: number;
};

/**
 * `kill -9` of each process at every named boundary that open, save and close pass: the boundaries are those that one run of
 * each really passed, and they must cover every step of the operation's own list.
 */
export function killSweep({ driver, chosen, parts }: SweepOptions): void {
  describe(`kill -9 at every step (${driver} driver)`, () => {
    let bench: KillBench;
    const passed = new Map<SweptKind, { readonly points: readonly string[]; readonly operation: Operation }>();

    beforeAll(async () => {
      bench = await KillBench.start(driver, { busy: false });
      for (const kind of KINDS) passed.set(kind, await bench.passedBy(kind));
      await bench.clearAway();
    });
    afterAll(async () => { await bench.end(); });

    it('knows a boundary before and after every step', () => {
      for (const [kind, { points, operation }] of passed) {
        const wanted = operation.steps.flatMap(({ id }) => [`${kind}.${id}.before`, `${kind}.${id}.after`]);
        expect(points).toEqual(expect.arrayContaining(wanted));
      }
      expect(passed.get('open')?.points.filter((point) => point.startsWith('agent.')).length).toBeGreaterThanOrEqual(4);
      expect(passed.get('close')?.points.filter((point) => point.startsWith('agent.')).length).toBeGreaterThanOrEqual(3);
    });

    for (const kind of KINDS) {
      for (const victim of VICTIMS) {
        it(`of ${kind}, ${NAMES[victim]}: nothing lost, nothing leaked, a clear state, recovery by clicking`, { timeout: SWEEP_DEADLINE_MS, retry: 0 }, async (test) => {
          const all = passed.get(kind)?.points ?? [];
          const failures: string[] = [];
          let killed = 0;
          const points = draw(`kill ${victim} in ${kind} (${driver})`, all.filter((candidate) => chosen(candidate, all)), parts).filter((candidate) => ONLY.test(candidate));
          for (const point of points) {
            const began = Date.now();
            try {
              if (await bench.killAt(kind, point, victim)) killed += 1;
            } catch (error) {
              failures.push(`${point}: ${error instanceof Error ? error.message : String(error)}`);
              process.stderr.write(`${kind}, ${victim}: ${failures.at(-1)}\n`);
              await bench.startAfresh(`${kind}-${point}-${victim}`);
            }
            if (process.env['VESSEL_SWEEP_VERBOSE'] !== undefined) process.stderr.write(`${kind} ${victim} ${point} ${Date.now() - began} ms\n`);
          }
          expect(failures).toEqual([]);
          // Before a machine exists and after it has been ended there is none to kill; the others can die at every point.
          if (victim !== 'guest') expect(killed).toBe(points.length);
          else if (SWEEPS_WHOLE && ONLY.source === '(?:)') expect(killed).toBeGreaterThan(points.length / 3);
          await test.annotate(`${killed} kills`);
        });
      }
    }
  });
}

/** Where a kill finds programs that were asked to end, a machine that is held still, and one that is about to end. */
const BUSY_POINTS: Readonly<Record<Exclude<Victim, 'guest'>, readonly string[]>> = {
  vessel: ['close.programs-asked', 'close.held', 'destroy.before-stop'], 'infra-agent': ['close.held', 'destroy.before-stop'],
};

/** The same for Save & Exit while a program writes that does not end when asked: it goes on after a close that came to nothing, and the next one works. */
export function busySweep(driver: 'process' | 'qemu'): void {
  describe(`kill -9 while a machine is held still (${driver} driver)`, () => {
    let bench: KillBench;
    beforeAll(async () => { bench = await KillBench.start(driver, { busy: true }); });
    afterAll(async () => { await bench.end(); });

    for (const victim of ['vessel', 'infra-agent'] as const) {
      it.each(BUSY_POINTS[victim])(`of ${NAMES[victim]} at %s`, { timeout: SWEEP_DEADLINE_MS }, async (point) => {
        expect(await bench.killAt('close', point, victim)).toBe(true);
      });
    }
  });
}
