import { VesselError } from '#shared/errors.ts';
import { nothingToUndo } from '../step.ts';
import type { Check, ProvisionStep } from '../step.ts';

/** A program that somebody else must bring: it is looked for, and what is missing is said. */
export function programStep(given: { readonly id: string; readonly title: string; readonly look: () => Promise<Pick<Check, 'present' | 'evidence'>>; readonly hint: string }): ProvisionStep {
  return {
    id: given.id, title: given.title, weight: 1, undo: nothingToUndo,
    async check() {
      const { present, evidence } = await given.look();
      return { present, evidence, plan: present ? [] : [given.hint] };
    },
    run: async () => { throw new VesselError('PROVISION_FAILED', `${given.title}: ${(await given.look()).evidence}`, { hint: given.hint }); },
  };
}
