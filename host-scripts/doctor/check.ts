import { VesselError } from '#shared/errors.ts';
import type { DoctorResult } from '#shared/host-protocol.ts';

export type DoctorCheck = DoctorResult['checks'][number];
export type Finding = Pick<DoctorCheck, 'state' | 'evidence' | 'fix'>;
export type DoctorStage = { readonly stage: string; readonly look: () => Promise<Finding> };

export const fine = (evidence: string): Finding => ({ state: 'ok', evidence, fix: null });
export const worry = (evidence: string, fix: string): Finding => ({ state: 'warn', evidence, fix });
export const broken = (evidence: string, fix: string): Finding => ({ state: 'fail', evidence, fix });
export const skipped = (evidence: string): Finding => ({ state: 'skipped', evidence, fix: null });

/** Looks at every stage, in order; a look that itself fails is a finding, never the end of the examination. */
export async function examine(stages: readonly DoctorStage[]): Promise<DoctorResult> {
  const checks: DoctorCheck[] = [];
  for (const { stage, look } of stages) {
    const started = performance.now();
    const finding = await look().catch((error: unknown) => {
      const known = VesselError.from(error);
      return broken(known.message, known.hint);
    });
    checks.push({ stage, ...finding, ms: Math.round(performance.now() - started) });
  }
  return { healthy: checks.every(({ state }) => state !== 'fail'), checks };
}
