import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Tier } from '#shared/project.ts';
import { machineArguments } from '../drivers/qemu/machine-arguments.ts';
import type { Accelerator } from '../drivers/qemu/machine-arguments.ts';
import type { BootImage } from '../current-image.ts';

/** Raise when a frozen machine of the same command line would no longer be what a clone expects. */
const TEMPLATE_FORMAT = 5;
const KEY_LENGTH = 24;

export type TemplateInputs = {
  readonly tier: Tier;
  readonly accelerator: Accelerator;
  readonly qemuVersion: string;
  readonly boot: BootImage;
  /** The host's processor when the guest sees it (KVM); the same constant in emulation. */
  readonly processor: string;
};

/** The processor as a guest under KVM sees it: model and features. */
export async function processorIdentity(accelerator: Accelerator): Promise<string> {
  if (accelerator === 'tcg') return 'emulated';
  const text = await readFile('/proc/cpuinfo', 'utf8');
  return ['model name', 'stepping', 'microcode', 'flags'].map((name) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '').join('|');
}

/** Names a template by all it depends on; when anything differs the name differs, and the old template is never used. */
export function templateKey(inputs: TemplateInputs): string {
  const hardware = machineArguments({
    tier: inputs.tier, accelerator: inputs.accelerator, name: 'template', memory: 'shared', kernelCommandLine: inputs.boot.image.commandLine,
    dataLayers: [], controlSocket: 'control',
  });
  // A data disk that was made anew has another file system identity inside; the frozen memory knows the old one.
  const facts = [TEMPLATE_FORMAT, inputs.qemuVersion, inputs.processor, inputs.boot.image.key, inputs.boot.image.buildId, inputs.boot.dataDisk.modifiedMs, hardware];
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, KEY_LENGTH);
}
