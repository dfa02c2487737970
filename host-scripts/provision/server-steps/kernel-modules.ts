import { readFile } from 'node:fs/promises';
import { VesselError } from '#shared/errors.ts';
import { exists } from '../../system/exists.ts';
import { runChecked, runCommand } from '../../system/run-command.ts';
import type { Check, ProvisionStep } from '../step.ts';
import { place, takeAway } from './managed-files.ts';

const MODPROBE_DEADLINE_MS = 20_000;
const FILE = '/etc/modules-load.d/vessel.conf';

/** The kernel module of this processor's virtualisation; null when it has none, or hides it. */
export function kvmModule(cpuinfo: string): 'kvm_intel' | 'kvm_amd' | null {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' ') ?? [];
  return flags.includes('vmx') ? 'kvm_intel' : flags.includes('svm') ? 'kvm_amd' : null;
}

/** `/dev/kvm`, now and after a reboot. Whether it really runs a guest is for the accelerator's probe to say. */
export function kernelModulesStep(): ProvisionStep {
  async function check(): Promise<Check> {
    if (await exists('/dev/kvm')) return { present: true, evidence: '/dev/kvm is there', plan: [] };
    const wanted = kvmModule(await readFile('/proc/cpuinfo', 'utf8'));
    if (wanted === null) return { present: true, skipped: true, evidence: 'the processor offers no virtualisation here: guests run in emulation', plan: [] };
    const known = (await runCommand(['modprobe', '--dry-run', '--quiet', wanted], { deadlineMs: MODPROBE_DEADLINE_MS }).catch(() => ({ code: 1 }))).code === 0; // no modprobe at all: a container
    if (!known) return { present: true, skipped: true, evidence: `the processor can virtualise, but this system has no module ${wanted} (a container?): guests run in emulation`, plan: [] };
    return { present: false, evidence: `${wanted} is not loaded`, plan: [`load ${wanted} now and at each boot (${FILE})`] };
  }
  return {
    id: 'modules', title: 'Kernel modules', weight: 1, check,
    async run({ journal }) {
      const wanted = kvmModule(await readFile('/proc/cpuinfo', 'utf8'));
      if (wanted === null) throw new VesselError('INTERNAL', 'no module is wanted');
      await place('modules', { kind: 'file', path: FILE, text: `# Vessel: hardware virtualisation\n${wanted}\n`, mode: 0o644 }, journal);
      await runChecked(['modprobe', wanted], { deadlineMs: MODPROBE_DEADLINE_MS });
    },
    // A loaded module stays until the next boot: others may have begun to use it.
    undo: ({ item }) => takeAway(item),
  };
}
