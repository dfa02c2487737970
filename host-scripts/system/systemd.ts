import { stat } from 'node:fs/promises';
import { errnoOf } from './errno.ts';
import { runChecked, runCommand } from './run-command.ts';

const DEADLINE_MS = 30_000;

/** Whether systemd runs this computer, see sd_booted(3). */
export async function isSystemdRunning(): Promise<boolean> {
  try {
    return (await stat('/run/systemd/system')).isDirectory();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

export async function systemctl(...words: string[]): Promise<void> {
  await runChecked(['systemctl', ...words], { deadlineMs: DEADLINE_MS });
}

export async function isUnitActive(unit: string): Promise<boolean> {
  return (await runCommand(['systemctl', 'is-active', '--quiet', unit], { deadlineMs: DEADLINE_MS })).code === 0;
}
