import type { ReactNode } from 'react';
import type { ProjectSettings } from '#shared/project.ts';
import { Choice, NumberInput, Switch } from '../../design/field.tsx';
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
        <Minutes
          title="Autosave" unit="minutes between saves" usual={5} most={MAX_AUTOSAVE_MINUTES} value={value.autosaveMinutes} onValue={(autosaveMinutes) => set({ autosaveMinutes })} testId="autosave-minutes"
          on="Saves without stopping anything, and only when files changed." off="Off: only you save."
        />
        <Minutes
          title="Idle stop" unit="minutes idle before stopping" usual={30} most={MAX_IDLE_MINUTES} value={value.idleMinutes} onValue={(idleMinutes) => set({ idleMinutes })} testId="idle-minutes"
          on="Saves first; when the save fails, the environment stays." off="Off: it runs until you end it."
        />
      </div>
      <ExcludeFields value={value.exclude} onValue={(exclude) => set({ exclude })} />
    </div>
  );
}

/** A number of minutes that can be switched off; core knows off as 0. */
function Minutes({ title, unit, usual, most, value, onValue, on, off, testId }: {
  readonly title: string; readonly unit: string; readonly usual: number; readonly most: number; readonly value: number; readonly onValue: (value: number) => void;
  readonly on: string; readonly off: string; readonly testId: string;
}): ReactNode {
  const active = value !== 0;
  return (
    <div className="rounded-lg border border-line px-4 py-3">
      <div className="flex items-center justify-between gap-3"><p className="font-medium">{title}</p><Switch label={title} checked={active} onChecked={(checked) => onValue(checked ? usual : 0)} /></div>
      {active && (
        <label className="mt-2 flex items-center gap-3"><span className="w-24"><NumberInput min={1} max={most} value={value} onValue={onValue} data-testid={testId} /></span><span className="text-sm">{unit}</span></label>
      )}
      <p className="mt-2 text-sm text-ink-soft">{active ? on : off}</p>
    </div>
  );
}
