import type { RequestedDriver } from '#shared/host-protocol.ts';

/** One file of a release. Without a pinned checksum it is never fetched; a person may send it (`VESSEL_DRIVER_FILES`). */
export type ReleaseFile = {
  readonly url: string;
  readonly sha256: string | null;
  /** Path inside the archive; null when the file is the program itself. */
  readonly member: string | null;
  readonly path: string;
};
export type DriverRelease = {
  readonly driver: RequestedDriver;
  readonly version: string;
  readonly files: readonly ReleaseFile[];
  readonly packages: readonly string[];
  readonly modules: readonly string[];
  readonly sysctl: Readonly<Record<string, string>>;
  /** Imported into containerd's namespace `firecracker` from files that are sent: what `docker save <name>` writes. */
  readonly images: readonly { readonly name: string; readonly file: string }[];
};

const FIRECRACKER = 'https://github.com/firecracker-microvm/firecracker/releases/download';
const IGNITE = 'https://github.com/weaveworks/ignite/releases/download';
const CNI = 'https://github.com/containernetworking/plugins/releases/download';
const CNI_PLUGINS = ['bridge', 'firewall', 'host-local', 'loopback', 'portmap'] as const;

/**
 * What each driver that is not the default needs on a host. Kernels come out of the golden image (Firecracker) or an image of their
 * own (Ignite). Ignite publishes no checksums: whoever has compared a file writes its hash here.
 */
export const DRIVER_RELEASES: Readonly<Record<RequestedDriver, DriverRelease>> = {
  firecracker: {
    driver: 'firecracker', version: '1.16.0', packages: [], modules: [], sysctl: {}, images: [],
    files: ['firecracker', 'jailer'].map((program) => ({
      url: `${FIRECRACKER}/v1.16.0/firecracker-v1.16.0-x86_64.tgz`, sha256: null, member: `release-v1.16.0-x86_64/${program}-v1.16.0-x86_64`, path: `/usr/local/bin/${program}`,
    })),
  },
  ignite: {
    driver: 'ignite', version: '0.10.0',
    files: [
      ...['ignite', 'ignited'].map((program) => ({ url: `${IGNITE}/v0.10.0/${program}-amd64`, sha256: null, member: null, path: `/usr/local/bin/${program}` })),
      ...CNI_PLUGINS.map((plugin) => ({ url: `${CNI}/v0.9.1/cni-plugins-linux-amd64-v0.9.1.tgz`, sha256: null, member: `./${plugin}`, path: `/opt/cni/bin/${plugin}` })),
    ],
    packages: ['containerd', 'dmsetup', 'openssh-client', 'git', 'binutils', 'e2fsprogs', 'iptables'],
    modules: ['loop', 'dm_snapshot', 'tun'], sysctl: { 'net.ipv4.ip_forward': '1' },
    images: [{ name: 'weaveworks/ignite:v0.10.0', file: 'ignite-image.tar' }, { name: 'weaveworks/ignite-kernel:5.10.51', file: 'ignite-kernel-image.tar' }],
  },
};
