import { describe, expect, it } from 'vitest';
import type { BootImage } from '../current-image.ts';
import { templateKey } from './template-key.ts';
import type { TemplateInputs } from './template-key.ts';

const image: BootImage['image'] = {
  key: 'image-1', buildId: 'build-1', builtAt: 1, dir: '/x', kernel: '/x/k', initrd: '/x/i', root: '/x/r', ide: { name: 'code-server', version: '1', commit: null },
  ideStaticDir: '/x/s', commandLine: 'console=ttyS0', bytes: 1,
};
const inputs: TemplateInputs = { tier: 'medium', accelerator: 'tcg', qemuVersion: '7.2.22', boot: { image, dataDisk: { path: '/d', modifiedMs: 5 } }, processor: 'emulated' };

describe('the name of a template', () => {
  const changes: Readonly<Record<string, TemplateInputs>> = {
    'the tier': { ...inputs, tier: 'large' },
    'the number of processors': { ...inputs, tier: 'small' },
    'the accelerator': { ...inputs, accelerator: 'kvm' },
    'the hypervisor': { ...inputs, qemuVersion: '7.2.23' },
    'the image': { ...inputs, boot: { ...inputs.boot, image: { ...image, key: 'image-2' } } },
    'the build of the same image': { ...inputs, boot: { ...inputs.boot, image: { ...image, buildId: 'build-2' } } },
    'the kernel command line': { ...inputs, boot: { ...inputs.boot, image: { ...image, commandLine: 'quiet' } } },
    'the data disk': { ...inputs, boot: { ...inputs.boot, dataDisk: { path: '/d', modifiedMs: 6 } } },
    'the processor': { ...inputs, processor: 'another' },
  };
  for (const [what, changed] of Object.entries(changes)) {
    it(`changes with ${what}`, () => expect(templateKey(changed)).not.toBe(templateKey(inputs)));
  }
  it('is the same wherever the image lies', () => {
    expect(templateKey({ ...inputs, boot: { image: { ...image, dir: '/y', kernel: '/y/k', root: '/y/r' }, dataDisk: { path: '/e', modifiedMs: 5 } } })).toBe(templateKey(inputs));
  });
});
