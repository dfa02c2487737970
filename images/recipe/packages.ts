import type { Distribution } from './distribution.ts';

/** Debian packages of the guest. `images/Dockerfile` installs the same list (a test compares them). */
export const GUEST_PACKAGES: readonly string[] = [
  'bash', 'bzip2', 'busybox-static', 'ca-certificates', 'curl', 'file', 'git', 'iproute2', 'iputils-ping', 'kmod', 'less', 'libarchive-tools',
  'libgssapi-krb5-2', 'libkrb5-3', 'libstdc++6', 'nano', 'netbase', 'openssh-client', 'perl-base', 'procps', 'psmisc', 'python3', 'python3-pip',
  'python3-venv', 'ripgrep', 'socat', 'sudo', 'tzdata', 'unzip', 'xz-utils', 'zip',
];

/** What the throw-away build root needs to compile the IDE's native modules (kerberos, spdlog, sqlite3, watchdog). */
export const IDE_BUILD_PACKAGES: readonly string[] = ['build-essential', 'ca-certificates', 'git', 'libkrb5-dev', 'python3'];

/**
 * The kernel made for virtual machines: small, virtio as modules.
 *
 * Debian's `cloud` flavour is the one that was measured. Ubuntu's counterpart is `linux-image-virtual`; `linux-image-kvm` is no
 * longer built for newer releases and lacks the fw_cfg module in some.
 */
export function kernelPackage(distribution: Distribution): string {
  return distribution.id === 'ubuntu' ? 'linux-image-virtual' : 'linux-image-cloud-amd64';
}

/** Loaded by the initramfs, in dependency order computed from modules.dep; those that are built in or absent are skipped. */
export const INITRD_MODULES: readonly string[] = [
  'virtio_mmio', 'virtio_blk', 'virtio_net', 'virtio_rng', 'virtio_balloon', 'ext4', 'crc32c_intel', 'overlay', 'qemu_fw_cfg',
  // Compressed swap, and what it compresses with by default.
  'lzo_rle', 'zram',
  // Only where the command line asks for a vsock port.
  'vsock', 'vmw_vsock_virtio_transport',
];
