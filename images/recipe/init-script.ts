import { GUEST_AGENT_PORT, GUEST_IDE_PORT } from '#shared/guest-protocol.ts';
import { AGENT_CONFIG_PATH, AGENT_PATH, BOOT_WORDS, BUSYBOX_PATH, DISK_SERIALS, GUEST_ENVIRONMENT, GUEST_NETWORK, GUEST_USER, NODE_PATH, TOKEN_FILE, TOKEN_FW_CFG, TOKEN_LENGTH, VSOCK_PORT_FILE, WORKSPACE_DIR } from './guest-layout.ts';

/**
 * PID 1 of the initramfs: loads the drivers, finds the disks by their serial numbers, lays the writable overlay over the read-only
 * golden root, and hands over to {@link INITTAB}. Every line it prints starts with `vessel:`, for the boot console.
 */
export function initramfsInit(): string {
  const { interface: card, address, prefix, gateway } = GUEST_NETWORK;
  return `#!/bin/busybox sh
bb=/bin/busybox
say() { echo "vessel: $*"; }
die() { say "boot failed: $*"; $bb sleep 1; $bb reboot -f; }
$bb mount -t devtmpfs dev /dev || die "no devtmpfs"
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
say "kernel up at $($bb cut -d' ' -f1 /proc/uptime)s"
# A hypervisor without serial numbers and fw_cfg (Firecracker) says on the kernel's command line what is what: vessel-root=vda, and so on.
words=$($bb cat /proc/cmdline)
arg() { for word in $words; do case $word in $1=*) echo "\${word#*=}"; return 0 ;; esac; done; return 1; }
for module in $($bb cat /modules/order); do
  case $module in *vsock*) arg ${BOOT_WORDS.vsock} >/dev/null || continue ;; esac
  $bb insmod /modules/$module || say "module $module did not load"
done

disk() {
  if named=$(arg $1); then [ -b /dev/$named ] && echo /dev/$named; return; fi
  for block in /sys/block/vd*; do
    [ "$($bb cat $block/serial 2>/dev/null)" = "$1" ] && echo "/dev/\${block##*/}" && return 0
  done
  return 1
}
tries=0
until root=$(disk ${DISK_SERIALS.root}) && data=$(disk ${DISK_SERIALS.data}); do
  tries=$((tries + 1))
  [ $tries -gt 100 ] && die "disks ${DISK_SERIALS.root} and ${DISK_SERIALS.data} did not appear"
  $bb usleep 50000
done

$bb mount -t ext4 -o ro,noatime $root /golden || die "cannot mount the golden root"
$bb mount -t ext4 -o noatime,noinit_itable,discard $data /data || die "cannot mount the data disk"
$bb mkdir -p /data/upper /data/work /data/workspace
$bb mount -t overlay -o noatime,lowerdir=/golden,upperdir=/data/upper,workdir=/data/work overlay /new || die "cannot mount the overlay"
$bb chown ${GUEST_USER.uid}:${GUEST_USER.gid} /data/workspace
$bb mount --bind /data/workspace /new${WORKSPACE_DIR} || die "cannot mount the workspace"

$bb mount --move /dev /new/dev
$bb mount --move /proc /new/proc
$bb mount --move /sys /new/sys
$bb mkdir -p /new/dev/pts /new/dev/shm
$bb mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /new/dev/pts
$bb mount -t tmpfs -o mode=1777,nosuid,nodev shm /new/dev/shm
$bb mount -t tmpfs -o mode=755,nosuid,nodev run /new/run
$bb mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
$bb ln -sf /proc/self/fd /new/dev/fd
$bb ln -sf /proc/self/fd/0 /new/dev/stdin
$bb ln -sf /proc/self/fd/1 /new/dev/stdout
$bb ln -sf /proc/self/fd/2 /new/dev/stderr

# The first token comes by fw_cfg: the kernel command line could be read by everybody in here. Missing it is the agent's error to report.
$bb mkdir -p -m 755 /new/run/vessel /new/run/lock
token=/new/sys/firmware/qemu_fw_cfg/by_name/${TOKEN_FW_CFG}/raw
if drive=$(arg ${BOOT_WORDS.token}); then
  (umask 077; $bb head -c ${TOKEN_LENGTH} /new/dev/$drive > /new${TOKEN_FILE})
else (umask 077; [ -r $token ] && $bb cat $token > /new${TOKEN_FILE}) || say "no token at fw_cfg ${TOKEN_FW_CFG}"
fi
arg ${BOOT_WORDS.vsock} > /new${VSOCK_PORT_FILE} || $bb rm -f /new${VSOCK_PORT_FILE}
$bb umount /new/sys/firmware/qemu_fw_cfg 2>/dev/null

$bb ip link set lo up
$bb ip link set ${card} up 2>/dev/null && $bb ip addr add ${address}/${prefix} dev ${card} && $bb ip route add default via ${gateway} || say "no network card"
put() { [ -e /new/proc/sys/$1 ] && echo "$2" > /new/proc/sys/$1; }
put net/ipv6/conf/all/disable_ipv6 1
put net/ipv6/conf/default/disable_ipv6 1
put fs/inotify/max_user_watches 524288
put fs/inotify/max_user_instances 1024
# A closed connection that still waits is frozen with a template, and would answer a clone's new connection from the same port with a
# reset. The link to the host reorders nothing, so nothing has to be waited for.
put net/ipv4/tcp_max_tw_buckets 0
# The forwarder (passt) sends as much as the guest's window allows, drops what the socket to the hypervisor (208 KB) does not hold, and sends that
# again after two seconds: with the kernel's 6 MB window 60 MB took 40 to 90 s to come in, with 128 KB they take 2. The link has no latency to hide.
put net/ipv4/tcp_rmem "4096 131072 262144"
# The guest's own services keep their ports, however wide somebody makes the range of the clients' ports.
put net/ipv4/ip_local_reserved_ports "${GUEST_AGENT_PORT}-${GUEST_IDE_PORT}"
put net/ipv4/ping_group_range "0 2147483647"
# Otherwise the kernel wakes up twice a second to look whether memory wants tidying up.
put vm/compaction_proactiveness 0
# Huge pages save an emulated guest page faults, but the thread that gathers them later copies memory that clones would go on sharing.
echo 4294967295 > /new/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs
# Compressed swap in memory: what was typed an hour ago makes room for a compiler, at about a third of its size. Without it a development server beside
# an editor ends in the kernel's OOM killer.
if [ -e /new/sys/block/zram0 ]; then
  total=$($bb awk '/^MemTotal:/ { print $2 }' /new/proc/meminfo)
  echo $((total / 2))K > /new/sys/block/zram0/disksize && $bb mkswap /new/dev/zram0 >/dev/null && $bb swapon /new/dev/zram0 || say "no compressed swap"
  # Reading ahead saves seeks; this disk has none.
  put vm/page-cluster 0
fi
put kernel/printk "3 4 1 3"
echo vessel > /new/proc/sys/kernel/hostname

# Detached, the overlay alone keeps them: nobody in the guest sees the bare disks mounted.
$bb umount -l /golden
$bb umount -l /data
say "root ready at $($bb cut -d' ' -f1 /new/proc/uptime)s"
exec $bb switch_root /new /sbin/init
die "switch_root"
`;
}

/**
 * busybox's init as the guest's PID 1: it reaps orphans, restarts the agent and ends the machine, in about 100 KB of private memory.
 * A shell loop would take four times that and reap nothing while it waits; systemd 15 MB and a second of emulated boot.
 * TERM makes it stop everything, sync and reboot, which ends a microVM (`-no-reboot`).
 */
export const INITTAB = `::respawn:/usr/lib/vessel/run-agent
::ctrlaltdel:${BUSYBOX_PATH} reboot
::shutdown:/bin/sync
`;

/** V8 forgets code that has not run for a while; in a template that code is exactly what a clone runs first. */
const KEEP_COMPILED = '--no-flush-bytecode';

/** Starts the guest agent with the guest's environment; a short pause keeps an agent that cannot start from spinning. */
export const RUN_AGENT = `#!/bin/sh
${Object.entries(GUEST_ENVIRONMENT).map(([name, value]) => `export ${name}='${value}'`).join('\n')}
export HOME=/root
cd /
if [ -e /run/vessel/agent-started ]; then sleep 1; echo "vessel: restarting the guest agent"; else : > /run/vessel/agent-started; fi
# Node cannot listen on a vsock port: where the host asked for one, a relay does.
if [ -s ${VSOCK_PORT_FILE} ]; then
  read -r port < ${VSOCK_PORT_FILE}
  socat VSOCK-LISTEN:$port,reuseaddr,fork TCP:127.0.0.1:${GUEST_AGENT_PORT} &
fi
exec ${NODE_PATH} ${KEEP_COMPILED} ${AGENT_PATH} ${AGENT_CONFIG_PATH}
`;
