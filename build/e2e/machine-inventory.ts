import type { RemoteMachine } from './remote-machine.ts';

/**
 * What package managers and the system write for themselves whatever is installed or removed: archives' lists, logs, backups of the
 * account files, caches that are made anew. Everything else counts.
 */
const NOTES = [
  '/var/lib/apt/', '/var/cache/', '/var/log/', '/var/lib/dpkg/', '/var/lib/systemd/', '/tmp', '/var/tmp', '/run', '/proc', '/sys', '/dev',
  '/etc/passwd-', '/etc/group-', '/etc/shadow-', '/etc/gshadow-', '/etc/subuid-', '/etc/subgid-', '/etc/ld.so.cache', '/var/lib/ucf/',
];

export type Inventory = Readonly<Record<'files' | 'packages' | 'accounts' | 'units' | 'rules' | 'processes', readonly string[]>>;

/** Everything on a machine that provisioning could leave behind, as sorted lines. */
export async function inventory(machine: RemoteMachine): Promise<Inventory> {
  const lines = async (script: string): Promise<readonly string[]> => (await machine.exec(['sh', '-c', script])).stdout.split('\n').filter((line) => line !== '').sort();
  const files = await lines(`find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run \\) -prune -o -type f -printf '%p\\0' | xargs -0 sha256sum --zero | tr '\\0' '\\n' | sed 's/^\\([0-9a-f]*\\)  \\(.*\\)$/\\2 \\1/'; find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run \\) -prune -o -printf '%p %y %m %U %G %l\\n'`);
  return {
    files: files.filter((line) => !NOTES.some((note) => line.startsWith(note))),
    packages: await lines("dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Status}\\n'"),
    accounts: await lines('cat /etc/passwd /etc/group /etc/shadow /etc/gshadow'),
    units: await lines('ls /etc/systemd/system /usr/local/lib/systemd 2>/dev/null'),
    // Seen from outside: the program that lists rules is one of those that come and go.
    rules: (await machine.rules()).split('\n').filter((line) => line !== ''),
    processes: (await lines("for pid in /proc/[0-9]*; do tr '\\0' ' ' < $pid/cmdline; echo; done")).filter((line) => !/^(sh |sleep |tr |find |\/bin\/sh -c \/usr\/sbin\/sshd|sshd)/.test(line)),
  };
}

/** Lines that only one of two inventories has. */
export function differences(before: Inventory, after: Inventory): readonly string[] {
  return (Object.keys(before) as (keyof Inventory)[]).flatMap((what) => {
    const [was, is] = [new Set(before[what]), new Set(after[what])];
    return [...after[what].filter((line) => !was.has(line)).map((line) => `${what} + ${line}`), ...before[what].filter((line) => !is.has(line)).map((line) => `${what} - ${line}`)];
  });
}
