import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import type { GoldenImage } from '../../images/recipe/index.ts';
import { QEMU } from '../drivers/qemu/machine-arguments.ts';
import type { RunUser } from '../system/run-user.ts';

/** What the golden image's init prints first, once a kernel has come up and runs user space. */
const SIGN_OF_LIFE = 'vessel: kernel up';
/** A guest that KVM really runs is there in about a second; an emulated one in three to five. */
const PROBE_DEADLINE_MS = 10_000;
const MAX_OUTPUT_CHARS = 64 * 1024;

export type ProbeResult = { readonly works: boolean; readonly why: string };

function lastLine(text: string): string {
  return text.split(/[\r\n]+/).filter((line) => line.trim() !== '').at(-1)?.trim().slice(0, 200) ?? 'nothing';
}

/**
 * Boots the golden kernel under KVM until its init speaks, or the deadline passes. That `/dev/kvm` exists, opens and makes VMs
 * proves nothing: paravirtual nested KVM does all that and never runs an ordinary guest.
 */
export async function probeKvm(image: Pick<GoldenImage, 'kernel' | 'initrd'>, user: RunUser | null, signal: AbortSignal): Promise<ProbeResult> {
  const [kernel, initrd] = await Promise.all([open(image.kernel, 'r'), open(image.initrd, 'r')]);
  try {
    return await boot(kernel.fd, initrd.fd, user, signal);
  } finally {
    await Promise.all([kernel.close(), initrd.close()]);
  }
}

function boot(kernel: number, initrd: number, user: RunUser | null, signal: AbortSignal): Promise<ProbeResult> {
  const started = Date.now();
  const child = spawn(QEMU, [
    '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-M', 'microvm,acpi=on', '-accel', 'kvm', '-cpu', 'host', '-m', '256M',
    '-kernel', '/proc/self/fd/3', '-initrd', '/proc/self/fd/4', '-append', 'console=ttyS0 reboot=t panic=-1 quiet', '-serial', 'stdio',
  ], { stdio: ['ignore', 'pipe', 'pipe', kernel, initrd], signal, killSignal: 'SIGKILL', timeout: PROBE_DEADLINE_MS, ...(user === null ? {} : { uid: user.uid, gid: user.gid }) });
  return new Promise((resolve, reject) => {
    let output = '';
    let works = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        if (output.length < MAX_OUTPUT_CHARS) output += chunk;
        if (!output.includes(SIGN_OF_LIFE)) return;
        works = true;
        child.kill('SIGKILL');
      });
    }
    child.on('error', reject);
    child.on('close', () => {
      const ms = Date.now() - started;
      if (works) resolve({ works, why: `a guest booted under KVM in ${ms} ms` });
      else if (ms >= PROBE_DEADLINE_MS) resolve({ works, why: `/dev/kvm exists, but a guest did not boot within ${PROBE_DEADLINE_MS / 1000} s` });
      else resolve({ works, why: `/dev/kvm exists, but the hypervisor ended: ${lastLine(output)}` });
    });
  });
}
