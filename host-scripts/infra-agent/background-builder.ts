import { VesselError } from '#shared/errors.ts';
import type { Tier } from '#shared/project.ts';
import type { TemplateAbility } from '../drivers/driver.ts';

export type BackgroundBuilder = { readonly want: (tier: Tier) => void; readonly close: () => Promise<void> };

/** Makes wanted templates one after the other, each tier once at a time. */
export function backgroundBuilder(templates: () => TemplateAbility | null, options: { readonly background: boolean; readonly log: (text: string) => void }): BackgroundBuilder {
  const wanted = new Set<Tier>();
  const ending = new AbortController();
  let last: Promise<void> = Promise.resolve();
  return {
    want(tier) {
      if (!options.background || wanted.has(tier) || ending.signal.aborted) return;
      wanted.add(tier);
      last = last.then(async () => {
        try {
          await templates()?.ensureTemplate(tier, { signal: ending.signal, stage: () => undefined, log: (_level, text) => options.log(text) });
          options.log(`the template ${tier} is ready`);
        } catch (error) {
          if (!ending.signal.aborted) options.log(`the template ${tier} could not be made: ${VesselError.from(error).message}`);
        } finally {
          wanted.delete(tier);
        }
      });
    },
    async close() {
      ending.abort(new VesselError('CANCELLED', 'the agent ends'));
      await last;
    },
  };
}
