/** Where things lie inside the guest, and how its one network card is addressed. Every clone has the same values. */
export const GUEST_USER = { name: 'workspace', uid: 1000, gid: 1000, home: '/home/vessel' } as const;

/** The project's folder. HOME lies elsewhere, so that caches and IDE data never land in a save. */
export const WORKSPACE_DIR = '/home/workspace';

export const VESSEL_LIB = '/usr/lib/vessel';
export const AGENT_PATH = `${VESSEL_LIB}/guest-agent.mjs`;
export const AGENT_CONFIG_PATH = '/etc/vessel/agent.json';
export const BUSYBOX_PATH = `${VESSEL_LIB}/busybox`;
/** The IDE's start program, where the adapter brings one. */
export const LAUNCHER_PATH = `${VESSEL_LIB}/start-ide.mjs`;
export const IDE_ROOT = `${VESSEL_LIB}/ide`;
export const NODE_PATH = '/usr/local/bin/node';
export const TOKEN_FILE = '/run/vessel/token';
/** The agent appends what `identity` gave it; terminals source it. */
export const ENVIRONMENT_FILE = '/run/vessel/env.sh';

/** The whole bundle of trusted certificates, and the part of it that Node does not carry itself. */
export const CA_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
export const CA_FOR_NODE = '/etc/ssl/certs/vessel-host.pem';

export const GUEST_NETWORK = {
  interface: 'eth0',
  address: '172.31.0.2',
  prefix: 24,
  gateway: '172.31.0.1',
  /** `passt --dns-forward`, or `-netdev user,dns=`: the network back end answers here, whatever the host's resolver is. */
  nameserver: '172.31.0.3',
} as const;

/** Serial numbers by which the guest finds its disks, whatever order the machine lists them in (at most 20 characters). */
export const DISK_SERIALS = { root: 'vessel-root', data: 'vessel-data' } as const;

/** Name of the QEMU fw_cfg item with the first token. */
export const TOKEN_FW_CFG = 'opt/vessel/token';

/**
 * The same for hypervisors that have neither serial numbers nor fw_cfg, as words of the kernel's command line: `vessel-root=vda vessel-data=vdb
 * vessel-token=vdc vessel-vsock=9999`. The token's drive holds {@link TOKEN_LENGTH} characters; the word names only the drive, because everybody in
 * the guest can read the command line.
 */
export const BOOT_WORDS = { root: DISK_SERIALS.root, data: DISK_SERIALS.data, token: 'vessel-token', vsock: 'vessel-vsock' } as const;
export const TOKEN_LENGTH = 64;
/** Holds the vsock port to relay from, or is not there. */
export const VSOCK_PORT_FILE = '/run/vessel/vsock-port';

/** Environment of the agent, the IDE and, by /etc/environment, of logins. */
export const GUEST_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/home/vessel/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
  NODE_EXTRA_CA_CERTS: CA_FOR_NODE,
  // Python packages bring a bundle of their own, without the host's authorities.
  PIP_CERT: CA_BUNDLE,
  REQUESTS_CA_BUNDLE: CA_BUNDLE,
};
