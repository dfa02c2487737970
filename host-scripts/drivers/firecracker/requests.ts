import { TIERS } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import { BOOT_WORDS } from '../../../images/recipe/index.ts';
import { GUEST_MAC } from '../../network/guest-network.ts';
import { TAP_NAME } from '../../network/guest-namespace.ts';

/** Files by their names in the jail: every machine sees the same paths, so a snapshot of one fits all. */
export const JAILED = {
  kernel: '/vmlinux', initrd: '/initrd.img', root: '/root.img', data: '/data.raw', token: '/token.img', vsock: '/v.sock', state: '/state', memory: '/memory', api: '/api.sock',
} as const;

/** The guest's end of its vsock, the same in all (the host's end is a unix socket); the port that the guest's relay listens on. */
export const GUEST_CID = 3;
export const AGENT_VSOCK_PORT = 9999;

export type ApiRequest = { readonly path: string; readonly body: object };

/**
 * The golden image's command line for this hypervisor: `reboot=k` (the keyboard controller) ends it, while a power-off would leave the process;
 * its drives have no serial numbers, so the words say which is which.
 */
export function bootArguments(imageCommandLine: string): string {
  const kept = imageCommandLine.split(' ').filter((word) => !/^(?:reboot|panic)=/.test(word));
  return [...kept, 'reboot=k', 'panic=1', `${BOOT_WORDS.root}=vda`, `${BOOT_WORDS.data}=vdb`, `${BOOT_WORDS.token}=vdc`, `${BOOT_WORDS.vsock}=${AGENT_VSOCK_PORT}`].join(' ');
}

const drive = (id: string, path: string, readOnly: boolean): ApiRequest => ({
  path: `/drives/${id}`, body: { drive_id: id, path_on_host: path, is_root_device: false, is_read_only: readOnly, cache_type: 'Unsafe', io_engine: 'Sync' },
});

/**
 * Everything a machine is told before it starts, in this order: drives become vda, vdb, vdc as they come. `Unsafe` caching: a guest that dies
 * is restored from its archive, never from this disk.
 */
export function bootRequests(given: { readonly tier: Tier; readonly commandLine: string }): readonly ApiRequest[] {
  const { vcpus, memoryMiB } = TIERS[given.tier];
  return [
    { path: '/machine-config', body: { vcpu_count: vcpus, mem_size_mib: memoryMiB, smt: false, track_dirty_pages: false } },
    { path: '/boot-source', body: { kernel_image_path: JAILED.kernel, initrd_path: JAILED.initrd, boot_args: bootArguments(given.commandLine) } },
    drive('root', JAILED.root, true), drive('data', JAILED.data, false), drive('token', JAILED.token, true),
    { path: '/network-interfaces/eth0', body: { iface_id: 'eth0', host_dev_name: TAP_NAME, guest_mac: GUEST_MAC } },
    { path: '/vsock', body: { guest_cid: GUEST_CID, uds_path: JAILED.vsock } },
    { path: '/entropy', body: {} },
    // Nothing is taken from the guest; but what it frees is reported, or its memory would never come back to the host.
    { path: '/balloon', body: { amount_mib: 0, deflate_on_oom: true, stats_polling_interval_s: 0, free_page_reporting: true } },
    { path: '/actions', body: { action_type: 'InstanceStart' } },
  ];
}

/** The guest stands still after it. `clock`: the host's kernel can set the guest's clock (5.16 or later). */
export function loadRequest(clock: boolean): ApiRequest {
  return {
    path: '/snapshot/load',
    body: {
      snapshot_path: JAILED.state, mem_backend: { backend_type: 'File', backend_path: JAILED.memory }, resume_vm: false, track_dirty_pages: false,
      ...(clock ? { clock_realtime: true } : {}),
      network_overrides: [{ iface_id: 'eth0', host_dev_name: TAP_NAME }], vsock_override: { uds_path: JAILED.vsock },
    },
  };
}

export const createSnapshot: ApiRequest = { path: '/snapshot/create', body: { snapshot_type: 'Full', snapshot_path: JAILED.state, mem_file_path: JAILED.memory } };
export const paused = { state: 'Paused' } as const;
export const resumed = { state: 'Resumed' } as const;

const CLOCK_KERNEL = [5, 16] as const;
/** `clock_realtime` needs KVM_CLOCK_REALTIME of the host's kernel. */
export function canSetClock(kernelRelease: string): boolean {
  const [major = 0, minor = 0] = kernelRelease.split('.').map((part) => Number.parseInt(part, 10));
  return major > CLOCK_KERNEL[0] || (major === CLOCK_KERNEL[0] && minor >= CLOCK_KERNEL[1]);
}
