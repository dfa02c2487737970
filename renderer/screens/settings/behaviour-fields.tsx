import type { ReactNode } from 'react';
import type { ProjectSettings } from '#shared/project.ts';
import { Choice, Field, NumberInput } from '../../design/field.tsx';
import { TIER_OPTIONS } from '../projects/templates.tsx';
import { ExcludeFields } from './exclude-fields.tsx';

const MAX_AUTOSAVE_MINUTES = 1440;
const MAX_IDLE_MINUTES = 10080;

/** Whether core would accept these settings. */
export function validSettings(settings: ProjectSettings): boolean {
  const within = (value: number, most: number): boolean => Number.isInteger(value) && value >= 0 && value <= most;
  return within(settings.autosaveMinutes, MAX_AUTOSAVE_MINUTES) && within(settings.idleMinutes, MAX_IDLE_MINUTES);
}

/** The settings that exist per project and as defaults for new ones. */
export function BehaviourFields({ value, onValue }: { readonly value: ProjectSettings; readonly onValue: (value: ProjectSettings) => void }): ReactNode {
  const set = (part: Partial<ProjectSettings>): void => onValue({ ...value, ...part });
  return (
    <div className="flex flex-col gap-6">
      <Choice label="Machine" value={value.tier} options={TIER_OPTIONS} onValue={(tier) => set({ tier })} />
      <div className="grid grid-cols-2 gap-5">
        <Field label="Autosave every … minutes" hint={value.autosaveMinutes === 0 ? 'Off: only you save.' : 'Only when files changed. 0 switches it off.'}>
          {(ids) => <NumberInput {...ids} min={0} max={MAX_AUTOSAVE_MINUTES} value={value.autosaveMinutes} onValue={(autosaveMinutes) => set({ autosaveMinutes })} data-testid="autosave-minutes" />}
        </Field>
        <Field label="End after … idle minutes" hint={value.idleMinutes === 0 ? 'Off: it runs until you end it.' : 'Saves first; a failed save keeps it running. 0 switches it off.'}>
          {(ids) => <NumberInput {...ids} min={0} max={MAX_IDLE_MINUTES} value={value.idleMinutes} onValue={(idleMinutes) => set({ idleMinutes })} data-testid="idle-minutes" />}
        </Field>
      </div>
      <ExcludeFields value={value.exclude} onValue={(exclude) => set({ exclude })} />
    </div>
  );
}
