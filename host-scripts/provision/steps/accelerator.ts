import { decideAccelerator, rememberedVerdict } from '../../accelerator/accelerator.ts';
import { bootImage } from '../../current-image.ts';
import { requireRunUser } from '../../drivers/qemu/qemu-runtime.ts';
import type { HostPaths } from '../../paths.ts';
import { isRoot as agentIsRoot, serviceUser } from '../../system/run-user.ts';
import { nothingToUndo } from '../step.ts';
import type { ProvisionStep } from '../step.ts';

/** Whether KVM really runs a guest here, found out by running one; once per boot of the host. */
export function acceleratorStep(paths: HostPaths): ProvisionStep {
  return {
    id: 'accelerator', title: 'Hardware virtualisation', weight: 5, undo: nothingToUndo,
    async check() {
      const verdict = await rememberedVerdict(paths.cache, agentIsRoot() ? await serviceUser() : null);
      return verdict === null
        ? { present: false, evidence: 'not probed since this host booted', plan: ['boot a small guest under KVM and see'] }
        : { present: true, evidence: `${verdict.kind === 'kvm' ? 'KVM' : 'emulation'}: ${verdict.why}`, plan: [] };
    },
    async run({ signal }) {
      const [user, { image }] = await Promise.all([requireRunUser(agentIsRoot()), bootImage(paths, 'start')]);
      await decideAccelerator(paths.cache, image, user, signal);
    },
  };
}
