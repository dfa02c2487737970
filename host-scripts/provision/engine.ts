import { VesselError } from '#shared/errors.ts';
import type { HostResult, HostStep } from '#shared/host-protocol.ts';
import type { Journal } from './journal.ts';
import type { Check, ProvisionStep, StepContext } from './step.ts';

export type ProvisionOptions = {
  readonly steps: readonly ProvisionStep[];
  readonly journal: Journal;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly report: (steps: readonly HostStep[]) => void;
  readonly log: StepContext['log'];
};

/** Progress messages of a chatty builder are thinned to this pace. */
const REPORT_EVERY_MS = 200;

/**
 * Checks every step and runs those that miss something, in order; a dry run only checks. A later step is checked after the
 * earlier ones ran, since it may depend on them. Throws PROVISION_FAILED naming the step, or the step's own HOST_* error.
 */
export async function provision(options: ProvisionOptions): Promise<HostResult<'provision'>> {
  const views: HostStep[] = options.steps.map(({ id, title, weight }) => ({ id, title, weight, state: 'missing', plan: [], evidence: '' }));
  let changed = 0;
  let reportedAt = 0;
  const show = (index: number, change: Partial<HostStep>, urgent = true): void => {
    const view = views[index];
    if (view !== undefined) views[index] = { ...view, ...change };
    if (!urgent && Date.now() - reportedAt < REPORT_EVERY_MS) return;
    reportedAt = Date.now();
    options.report(views.map((step) => ({ ...step })));
  };
  const checkStep = async (index: number, step: ProvisionStep): Promise<Check> => {
    const check = await step.check(options.signal);
    show(index, { state: check.skipped === true ? 'skipped' : check.present ? 'present' : 'missing', evidence: check.evidence, plan: [...check.plan] });
    return check;
  };

  for (const [index, step] of options.steps.entries()) {
    options.signal.throwIfAborted();
    const before = await checkStep(index, step);
    if (before.present || before.skipped === true || options.dryRun) continue;
    show(index, { state: 'running', progress: 0 });
    try {
      await step.run({
        signal: options.signal, log: options.log, journal: options.journal,
        progress: (fraction, doing) => show(index, { progress: Math.min(1, Math.max(0, fraction)), evidence: doing }, false),
      });
      const after = await step.check(options.signal);
      if (!after.present && after.skipped !== true) throw new VesselError('PROVISION_FAILED', `${step.title}: still missing afterwards: ${after.evidence}`);
      changed += 1;
      show(index, { state: 'done', progress: 1, evidence: after.evidence, plan: [] });
    } catch (error) {
      const failure = VesselError.from(error);
      show(index, { state: 'failed', evidence: failure.message });
      if (failure.code === 'INTERNAL' || failure.code === 'TIMEOUT') throw new VesselError('PROVISION_FAILED', `${step.title}: ${failure.message}`, { cause: error, logTail: failure.logTail, details: { step: step.id } });
      throw failure;
    }
  }
  return { status: options.dryRun ? 'planned' : 'success', steps: views, changed };
}

export type UnprovisionOptions = {
  readonly steps: readonly ProvisionStep[];
  readonly journal: Journal;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
};

/** Takes back exactly what the journal holds, newest first; what cannot be taken back is kept and named. */
export async function unprovision(options: UnprovisionOptions): Promise<HostResult<'unprovision'>> {
  const removed: string[] = [];
  const kept: { item: string; why: string }[] = [];
  const standing = [...await options.journal.standing()].reverse();
  const together = new Set<string>();
  for (const entry of standing) {
    options.signal.throwIfAborted();
    const step = options.steps.find(({ id }) => id === entry.step);
    const item = `${entry.step}: ${entry.item}`;
    if (step === undefined) {
      kept.push({ item, why: 'this version of Vessel does not know the step that made it' });
    } else if (options.dryRun) {
      removed.push(item);
    } else {
      if (step.undoAll !== undefined && !together.has(step.id)) {
        together.add(step.id);
        // What it could not do shows one by one, with its reason.
        await step.undoAll(standing.filter((other) => other.step === step.id), options.signal).catch(() => false);
      }
      const why = await step.undo(entry, options.signal).catch((error: unknown) => VesselError.from(error).message);
      if (why === null) {
        await options.journal.markUndone(entry);
        removed.push(item);
      } else {
        kept.push({ item, why });
      }
    }
  }
  if (!options.dryRun) await options.journal.removeIfEmpty();
  return { status: options.dryRun ? 'planned' : 'success', removed, kept };
}
