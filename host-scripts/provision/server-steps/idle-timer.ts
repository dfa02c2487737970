import { unitText } from '../../build-info.ts';
import { isSystemdRunning, isUnitActive, systemctl } from '../../system/systemd.ts';
import type { Check, ProvisionStep } from '../step.ts';
import { place, placedBy, stateOf, takeAway, type ManagedPath } from './managed-files.ts';
import type { Journal } from '../journal.ts';

const TIMER = 'vessel-idle.timer';
const UNITS = ['vessel-idle.service', TIMER] as const;

/** Puts environments to sleep that nobody uses while the desktop is away: a timer of the host itself, and no daemon. */
export function idleTimerStep(journal: Journal): ProvisionStep {
  const files = async (): Promise<readonly ManagedPath[]> =>
    Promise.all(UNITS.map(async (unit) => ({ kind: 'file', path: `/etc/systemd/system/${unit}`, text: await unitText(unit), mode: 0o644 }) as const));
  async function check(): Promise<Check> {
    if (!await isSystemdRunning()) return { present: true, skipped: true, evidence: 'systemd does not run here: environments are put to sleep only while a Vessel is connected', plan: [] };
    const ours = await placedBy('idle-timer', journal);
    const states = await Promise.all((await files()).map((file) => stateOf(file, ours)));
    const active = await isUnitActive(TIMER);
    if (active && states.every((state) => state === 'right')) return { present: true, evidence: `${TIMER} is active`, plan: [] };
    return { present: false, evidence: active ? 'its unit files differ' : `${TIMER} is not active`, plan: [...UNITS.map((unit) => `write /etc/systemd/system/${unit}`), `enable and start ${TIMER}`] };
  }
  return {
    id: 'idle-timer', title: 'Timer for idle environments', weight: 1, check,
    async run() {
      for (const file of await files()) await place('idle-timer', file, journal);
      await systemctl('daemon-reload');
      await systemctl('enable', '--now', TIMER);
    },
    async undo({ item }) {
      if (item.endsWith(`/${TIMER}`) && await isSystemdRunning() && await isUnitActive(TIMER)) await systemctl('disable', '--now', TIMER);
      const why = await takeAway(item);
      if (await isSystemdRunning()) await systemctl('daemon-reload');
      return why;
    },
  };
}
