import { TIERS } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import { VesselError } from '#shared/errors.ts';
import type { TemplateAbility } from '../../drivers/driver.ts';
import type { TemplateStore } from '../../templates/template-store.ts';
import type { ProvisionStep } from '../step.ts';

/** A frozen, booted machine of this size, from which environments are cloned in a fraction of a second. */
export function templateStep(tier: Tier, templates: TemplateAbility, store: TemplateStore): ProvisionStep {
  const { vcpus, memoryMiB } = TIERS[tier];
  const size = `${vcpus} vCPU, ${memoryMiB} MiB`;
  return {
    id: `template-${tier}`, title: `Template ${tier} (${size})`, weight: 30,
    async check() {
      const plan = [`boot a ${tier} machine (${size}) and freeze it (about 20 s)`];
      try {
        const state = (await templates.templateStates()).find((template) => template.tier === tier);
        if (state?.state === 'ready') return { present: true, evidence: `ready, ${Math.round(state.bytes / 1_000_000)} MB`, plan: [] };
        return { present: false, evidence: state?.state ?? 'missing', plan };
      } catch (error) {
        // Before the image is there nobody can say which template would fit.
        const { code, message } = VesselError.from(error);
        if (code !== 'IMAGE_MISSING' && code !== 'HOST_NOT_READY') throw error;
        return { present: false, evidence: message, plan };
      }
    },
    async run({ signal, log, progress, journal }) {
      const stages = ['boot', 'ready', 'freeze'];
      const before = await store.keys();
      await templates.ensureTemplate(tier, { signal, log, stage: (stage) => progress((1 + stages.indexOf(stage)) / (stages.length + 1), `template ${tier}: ${stage}`) });
      for (const key of await store.keys()) if (!before.includes(key)) await journal.record(`template-${tier}`, key);
    },
    async undo({ item }) {
      await store.discard(item);
      return null;
    },
  };
}
