import { TIERS } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import { DISK_SERIALS, TOKEN_FW_CFG } from '../../../images/recipe/guest-layout.ts';
import { GUEST_MAC, GUEST_MTU } from '../../network/guest-network.ts';

export type Accelerator = 'kvm' | 'tcg';

/** The hypervisor; x86_64 is the only architecture supported so far. */
export const QEMU = 'qemu-system-x86_64';

/**
 * The descriptors a hypervisor is started with. It gets every file already open: it needs no right to any path, whatever folder
 * the state and the cache are in.
 */
export const DESCRIPTOR = { console: 1, log: 2, network: 3, control: 4, memory: 5, state: 6, data: 7, dataBase: 8, root: 9, kernel: 10, initrd: 11, token: 12, templateDisk: 13, memoryLibrary: 14 } as const;

/** The microvm keeps ACPI (Debian's kernel finds its virtio-mmio devices by it) and PIT/PIC (without them it hangs in emulation). */
export const MACHINE_OPTIONS = 'microvm,acpi=on,memory-backend=mem0';

/** Everything QEMU can give up: no old system calls, no more rights, no new processes, no own scheduling. */
const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';

const fileOf = (descriptor: number): string => `/proc/self/fd/${descriptor}`;
const setOf = (descriptor: number): string[] => ['-add-fd', `fd=${descriptor},set=${descriptor}`];

/**
 * Every feature the emulator has, but for `erms` and `fsrm`: they invite the guest to copy and clear memory with `rep movsb`, which emulation
 * does byte by byte. Without them a guest copies four times and clears pages six times faster.
 */
const EMULATED_CPU = 'max,-erms,-fsrm';

export const cpuModel = (accelerator: Accelerator): string => accelerator === 'kvm' ? 'host' : EMULATED_CPU;

/** What decides whether a frozen machine's state fits another process: the same list must make the same template key. */
export function hardwareArguments(tier: Tier, accelerator: Accelerator): readonly string[] {
  const { vcpus, memoryMiB } = TIERS[tier];
  return [
    '-M', MACHINE_OPTIONS, '-cpu', cpuModel(accelerator), '-smp', String(vcpus), '-m', `${memoryMiB}M`,
    '-accel', accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi',
  ];
}

/**
 * A failed read or write of the host's stops the machine instead of reaching the guest, whose file system would give up and lose work; it is
 * repeated when the machine goes on.
 */
const ON_ERRORS = 'werror=stop,rerror=stop';

export type DiskLayer = { readonly role: keyof typeof DESCRIPTOR; readonly format: 'qcow2' | 'raw' };

/** One disk as a chain of layers, top first; lower layers are read-only and shared by all machines. */
function disk(name: string, layers: readonly DiskLayer[], options: { readonly readOnly: boolean; readonly serial: string }): string[] {
  const result: string[] = [];
  let backing = '';
  for (const [index, layer] of [...layers].reverse().entries()) {
    const top = index === layers.length - 1;
    const readOnly = options.readOnly || !top ? 'on' : 'off';
    const file = `${name}-file${layers.length - 1 - index}`;
    const node = top ? name : `${name}-layer${layers.length - 1 - index}`;
    result.push(
      ...setOf(DESCRIPTOR[layer.role]),
      '-blockdev', `driver=file,node-name=${file},filename=/dev/fdset/${DESCRIPTOR[layer.role]},read-only=${readOnly},locking=off,aio=threads,discard=unmap`,
      '-blockdev', `driver=${layer.format},node-name=${node},file=${file},read-only=${readOnly},discard=unmap${backing}`,
    );
    backing = `,backing=${node}`;
  }
  return [...result, '-device', `virtio-blk-device,drive=${name},serial=${options.serial},${ON_ERRORS}`];
}

export type MachineGiven = {
  readonly tier: Tier;
  readonly accelerator: Accelerator;
  readonly name: string;
  /** `shared`: this machine becomes a template. `private`: its memory is a copy-on-write view of a template's. `plain`: an ordinary boot. */
  readonly memory: 'shared' | 'private' | 'plain';
  /** Null for a clone: the kernel is in its memory already, and loading it again would cost 14 MB of private memory each. */
  readonly kernelCommandLine: string | null;
  readonly dataLayers: readonly DiskLayer[];
  readonly controlSocket: string;
};

/** The whole command line after the program's name. No secret is in it: the token travels in a file by descriptor. */
export function machineArguments(given: MachineGiven): readonly string[] {
  const size = `${TIERS[given.tier].memoryMiB}M`;
  const memory = given.memory === 'plain'
    ? `memory-backend-ram,id=mem0,size=${size}`
    : `memory-backend-file,id=mem0,mem-path=${fileOf(DESCRIPTOR.memory)},size=${size},share=${given.memory === 'shared' ? 'on' : 'off'}`;
  return [
    '-name', given.name, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-sandbox', SANDBOX,
    ...hardwareArguments(given.tier, given.accelerator), '-object', memory,
    ...(given.kernelCommandLine === null
      ? ['-incoming', 'defer']
      : ['-kernel', fileOf(DESCRIPTOR.kernel), '-initrd', fileOf(DESCRIPTOR.initrd), '-append', given.kernelCommandLine,
        '-fw_cfg', `name=${TOKEN_FW_CFG},file=${fileOf(DESCRIPTOR.token)}`]),
    ...disk('root', [{ role: 'root', format: 'raw' }], { readOnly: true, serial: DISK_SERIALS.root }),
    ...disk('data', given.dataLayers, { readOnly: false, serial: DISK_SERIALS.data }),
    '-netdev', `stream,id=net0,server=off,addr.type=fd,addr.str=${DESCRIPTOR.network}`, '-device', `virtio-net-device,netdev=net0,mac=${GUEST_MAC},host_mtu=${GUEST_MTU}`,
    '-device', 'virtio-rng-device',
    // Descriptors 0 and 1: no input, the console's log.
    '-chardev', 'stdio,id=console0,signal=off', '-serial', 'chardev:console0',
    '-chardev', `socket,id=control0,fd=${DESCRIPTOR.control}`, '-mon', 'chardev=control0,mode=control',
    '-chardev', `socket,id=control1,path=${given.controlSocket},server=on,wait=off`, '-mon', 'chardev=control1,mode=control',
  ];
}
