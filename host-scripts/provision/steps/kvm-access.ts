import { chmod, chown, readFile, stat } from 'node:fs/promises';
import { KVM_DEVICE, kvmRefusal, kvmRights, kvmUser } from '../../accelerator/kvm-access.ts';
import { VesselError } from '#shared/errors.ts';
import { exists } from '../../system/exists.ts';
import { runCommand } from '../../system/run-command.ts';
import { serviceUser } from '../../system/run-user.ts';
import type { RunUser } from '../../system/run-user.ts';
import type { Journal } from '../journal.ts';
import { place, takeAway } from '../server-steps/managed-files.ts';
import type { Check, ProvisionStep } from '../step.ts';

const GROUP_MODE = 0o660;
const RULES_FOLDER = '/etc/udev/rules.d';
const UDEV_DEADLINE_MS = 5_000;
/** What the device was before: owner, group and mode, to be given back. */
const BEFORE = /^(\/.*) was (\d+):(\d+) ([0-7]+)$/;

/** The distribution's own group for the device, else the one of the service user. */
async function groupFor(service: RunUser): Promise<{ readonly name: string; readonly gid: number }> {
  const gid = /^kvm:[^:]*:(\d+):/m.exec(await readFile('/etc/group', 'utf8'))?.[1];
  return gid === undefined ? { name: service.name, gid: service.gid } : { name: 'kvm', gid: Number(gid) };
}

/** A fresh machine may have `/dev/kvm` for root alone: gives it to a group that machines have, now and (by udev) after a reboot. */
export function kvmAccessStep(options: { readonly isRoot: boolean; readonly journal: Journal; readonly device?: string; readonly rulesFolder?: string }): ProvisionStep {
  const { isRoot, journal, device = KVM_DEVICE, rulesFolder = RULES_FOLDER } = options;
  const rule = `${rulesFolder}/99-vessel-kvm.rules`;
  async function machineUser(): Promise<RunUser | null> {
    return kvmUser(await serviceUser(), device);
  }
  async function check(): Promise<Check> {
    if (await kvmRights(device) === null) return { present: true, skipped: true, evidence: `this host has no ${device}: guests run in emulation`, plan: [] };
    const user = isRoot ? await machineUser() : null;
    if (isRoot && user === null) return { present: false, evidence: 'the unprivileged user that machines run as is not made yet', plan: [`let machines open ${device} if they may not`] };
    const refusal = await kvmRefusal(user, device);
    if (refusal === null) return { present: true, evidence: `machines may open ${device}`, plan: [] };
    // Without root nothing can be given; environments run all the same, only slower.
    if (!isRoot) return { present: true, skipped: true, evidence: `${refusal}: guests run in emulation. Fix: sudo usermod -aG kvm $USER, then log in again`, plan: [] };
    return { present: false, evidence: refusal, plan: [`give ${device} to a group of the machines (mode 0660)`, ...(await exists(rulesFolder) ? [`write ${rule}`] : [])] };
  }
  return {
    id: 'kvm-access', title: 'Right to use hardware virtualisation', weight: 1, check,
    async run() {
      if (await kvmRights(device) === null || (await machineUser().then(async (user) => user === null ? 'none' : kvmRefusal(user, device))) === null) return;
      const service = await serviceUser();
      if (service === null) throw new VesselError('HOST_NOT_READY', 'the unprivileged user that runs microVMs does not exist yet');
      const { uid, gid, mode } = await stat(device);
      const group = await groupFor(service);
      const before = `${device} was ${uid}:${gid} ${(mode & 0o777).toString(8)}`;
      if (!(await journal.standing()).some(({ step, item }) => step === 'kvm-access' && BEFORE.test(item))) await journal.record('kvm-access', before);
      if (await exists(rulesFolder)) await place('kvm-access', { kind: 'file', path: rule, text: `# Vessel: machines may use hardware virtualisation\nKERNEL=="kvm", GROUP="${group.name}", MODE="0660"\n`, mode: 0o644 }, journal);
      await chown(device, uid, group.gid);
      await chmod(device, GROUP_MODE);
    },
    async undo({ item }) {
      const [, path, uid, gid, mode] = BEFORE.exec(item) ?? [];
      if (path === undefined) {
        const why = await takeAway(item);
        // So that a device that is made anew gets no more of it; where no udev runs there is nothing to tell.
        await runCommand(['udevadm', 'control', '--reload'], { deadlineMs: UDEV_DEADLINE_MS }).catch(() => undefined);
        return why;
      }
      if (await kvmRights(path) === null) return null;
      const now = await stat(path);
      // Others may have changed it since: then it is theirs. The group is ours only while the mode is as well.
      if ((now.mode & 0o777) !== GROUP_MODE) return (now.mode & 0o777) === Number.parseInt(mode ?? '', 8) ? null : `${path} was changed since`;
      await chown(path, Number(uid), Number(gid));
      await chmod(path, Number.parseInt(mode ?? '', 8));
      return null;
    },
  };
}
