import { GUEST_NETWORK } from '../../images/recipe/guest-layout.ts';

/** Locally administered; the same in all guests, which never see each other, so that a restored guest keeps its card. */
export const GUEST_MAC = '52:54:00:76:73:6c';

/**
 * The card's MTU, told to the guest by the virtual hardware: passt's own limit (passt(1), `--mtu`). passt speaks TCP itself on both sides, so
 * no packet of this size ever meets a wire; an emulated guest pays per packet: 60 MB take 1.6 s where packets of 1500 bytes take 2.3 s (ADR 31).
 */
export const GUEST_MTU = 65_520;

const ETHERTYPE_ARP = 0x0806;
const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
const addressBytes = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/**
 * A gratuitous ARP announcement of the guest, framed for passt (length, big endian, then the Ethernet frame; passt(1)).
 *
 * passt learns the guest's MAC only from its frames, and until then sends to the broadcast MAC, where Linux drops TCP: the first
 * connection to a silent clone would hang for 10 s. Written into passt's socket before the hypervisor takes it over, this
 * announcement teaches passt the MAC; passt does not answer it.
 */
export function guestAnnouncement(): Buffer {
  const mac = macBytes(GUEST_MAC);
  const address = addressBytes(GUEST_NETWORK.address);
  const header = Buffer.concat([Buffer.alloc(6, 0xff), mac, Buffer.from([ETHERTYPE_ARP >> 8, ETHERTYPE_ARP & 0xff])]);
  // Ethernet (1), IPv4 (0x0800), 6 and 4 bytes long, request (1).
  const request = Buffer.from([0, 1, 0x08, 0x00, 6, 4, 0, 1]);
  const frame = Buffer.concat([header, request, mac, address, Buffer.alloc(6), address]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.byteLength);
  return Buffer.concat([length, frame]);
}

/**
 * How passt is started. It carries the guest's network in user space: no tap device, no bridge, no namespace, no rights. Its descriptor 3 is one end of a socket pair, the hypervisor holds the other; it ends when
 * that closes.
 */
export function passtArguments(given: { readonly hostPort: number; readonly guestPort: number; readonly logPath: string; /** See {@link hasDefaultRoute}. */ readonly routed: boolean }): readonly [string, ...string[]] {
  return [
    'passt', '--foreground', '--quiet', '--fd', '3', '--log-file', given.logPath, '--ipv4-only',
    '--address', GUEST_NETWORK.address, '--netmask', String(GUEST_NETWORK.prefix), '--gateway', GUEST_NETWORK.gateway,
    ...(given.routed ? [] : ['--interface', 'lo', '--mac-addr', OFFLINE_MAC]),
    // The gateway address would otherwise lead to the host's loopback.
    '--no-map-gw', '--no-dhcp', '--dns-forward', GUEST_NETWORK.nameserver,
    '--tcp-ports', `127.0.0.1/${given.hostPort}:${given.guestPort}`, '--udp-ports', 'none',
  ];
}

/**
 * passt refuses to start where no interface has a default route: a laptop with its network off. Addresses and routes are given to
 * it here anyway, so the loopback interface serves as well; it only lacks a MAC that passt can call its own (locally
 * administered, told to the guest). Connections are routed by the host when they are made: when the network returns, the guest has it.
 */
const OFFLINE_MAC = '9a:55:76:73:6c:01';

/** Whether the host's IPv4 routing table (the text of /proc/net/route) has a default route that is up. */
export function hasDefaultRoute(table: string): boolean {
  return table.split('\n').slice(1).some((line) => {
    const [, destination, , flags, , , , mask] = line.split(/\s+/);
    return destination === '00000000' && mask === '00000000' && (Number.parseInt(flags ?? '0', 16) & ROUTE_UP) !== 0;
  });
}
const ROUTE_UP = 1;
