import { DISK_SERIALS, TOKEN_FW_CFG } from './guest-layout.ts';
import type { GoldenImage } from './golden-image.ts';

/**
 * Kernel command line of the golden image. `reboot=t panic=-1`: a reboot or a panic ends the VMM; `quiet` because every console
 * line costs an emulated guest; the init's own lines start with `vessel:`. `tsc=reliable`: there is no second clock to check it with.
 * `nokaslr mitigations=off`: the one user of a guest may become its root anyway, the wall is the virtual machine; clones of one template
 * share their layout in any case.
 */
export const KERNEL_COMMAND_LINE = 'console=ttyS0 reboot=t panic=-1 quiet loglevel=3 tsc=reliable random.trust_cpu=on audit=0 nokaslr mitigations=off';

/** Timer ticks a second of Debian's and Ubuntu's kernels (CONFIG_HZ). */
const KERNEL_HZ = 250;

/**
 * The command line for one accelerator. On a busy host an emulated guest's timer ticks come late, and whatever the kernel
 * measures or tests with them at boot fails for good. So it is told the frequency of the host's time stamp counter (see
 * `measureTscKhz`) and its loops per jiffy (else the second processor waits for ticks that cannot come), and does not test the
 * timer's route (`no_timer_check`: a late tick counts as a broken one, and then every timer stays masked). KVM tells a guest all
 * this by itself. The numbers belong to the host, not to the image or a template: leave them out of keys.
 */
export function kernelCommandLine(image: Pick<GoldenImage, 'commandLine'>, accelerator: { readonly kind: 'kvm' } | { readonly kind: 'tcg'; readonly tscKhz: number }): string {
  if (accelerator.kind === 'kvm') return image.commandLine;
  return `${image.commandLine} no_timer_check tsc_early_khz=${accelerator.tscKhz} lpj=${Math.round(accelerator.tscKhz * 1000 / KERNEL_HZ)}`;
}

/**
 * QEMU arguments that say what to boot: kernel, initramfs, the two disks by serial, and the token. Machine, memory, CPU, network and
 * console are the driver's. `dataDisk` is any writable qcow2 over `makeDataDisk`'s file; `tokenFile` holds the first bearer token.
 */
export function bootArguments(image: Pick<GoldenImage, 'kernel' | 'initrd' | 'root'>, commandLine: string, disk: { readonly dataDisk: string; readonly dataFormat: 'qcow2' | 'raw'; readonly tokenFile: string }): readonly string[] {
  return [
    '-kernel', image.kernel, '-initrd', image.initrd, '-append', commandLine,
    '-blockdev', `driver=raw,node-name=root,read-only=on,file.driver=file,file.filename=${image.root},file.locking=off,file.read-only=on`,
    '-device', `virtio-blk-device,drive=root,serial=${DISK_SERIALS.root}`,
    '-blockdev', `driver=${disk.dataFormat},node-name=data,discard=unmap,file.driver=file,file.filename=${disk.dataDisk},file.discard=unmap`,
    '-device', `virtio-blk-device,drive=data,serial=${DISK_SERIALS.data}`,
    '-fw_cfg', `name=${TOKEN_FW_CFG},file=${disk.tokenFile}`,
  ];
}
