import { DISK_SERIALS, TOKEN_FW_CFG } from './guest-layout.ts';
import type { GoldenImage } from './golden-image.ts';

/**
 * Kernel command line of the golden image. `reboot=t panic=-1`: a reboot or a panic ends the VMM; `quiet` because every console
 * line costs an emulated guest; the init's own lines start with `vessel:`. `tsc=reliable`: there is no second clock to check it with.
 * `nokaslr mitigations=off`: the one user of a guest may become its root anyway, the wall is the virtual machine; clones of one template
 * share their layout in any case.
 */
export const KERNEL_COMMAND_LINE = 'console=ttyS0 reboot=t panic=-1 quiet loglevel=3 tsc=reliable random.trust_cpu=on audit=0 nokaslr mitigations=off';

/**
 * The command line for one accelerator. An emulated guest is told the frequency of the host's time stamp counter (see
 * `measureTscKhz`), without which it hangs on a busy host; KVM tells it by itself. The number belongs to the host, not to the image
 * or a template: leave it out of keys.
 */
export function kernelCommandLine(image: Pick<GoldenImage, 'commandLine'>, accelerator: { readonly kind: 'kvm' } | { readonly kind: 'tcg'; readonly tscKhz: number }): string {
  return accelerator.kind === 'kvm' ? image.commandLine : `${image.commandLine} tsc_early_khz=${accelerator.tscKhz}`;
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
