import type { HostProbe } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';

const GIGABYTE = 1_000_000_000;

/** Releases that were tried; the host's own agent checks again, from inside. */
const SUPPORTED: Readonly<Record<string, readonly string[]>> = { debian: ['12'], ubuntu: ['22.04', '24.04'] };
const NAMES = 'Debian 12, Ubuntu 22.04 and 24.04 on x86_64';

/** Throws HOST_UNSUPPORTED with the reason. */
export function checkPlatform({ os, architecture, hostname }: Pick<HostProbe, 'os' | 'architecture' | 'hostname'>): void {
  const details = { os, architecture };
  const hint = `Vessel makes hosts of ${NAMES}.`;
  if (architecture !== 'x86_64') throw new VesselError('HOST_UNSUPPORTED', `${hostname} is a ${architecture} machine; images and microVMs are made for x86_64`, { hint, details });
  const releases = SUPPORTED[os.id];
  if (releases === undefined) throw new VesselError('HOST_UNSUPPORTED', `${hostname} runs ${os.name}, which is neither Debian nor Ubuntu`, { hint, details });
  if (!releases.includes(os.version)) throw new VesselError('HOST_UNSUPPORTED', `${hostname} runs ${os.name}; of ${os.id} ${releases.join(' and ')} ${releases.length === 1 ? 'is' : 'are'} supported`, { hint, details });
}

export function describeProbe(probe: HostProbe): string {
  const kvm = { usable: '/dev/kvm is there', 'no-access': '/dev/kvm is there for root', absent: 'no /dev/kvm' }[probe.kvm];
  return `${probe.os.name} on ${probe.architecture}, ${probe.cpus} CPUs, ${(probe.memoryTotalBytes / GIGABYTE).toFixed(1)} GB of memory, ${(probe.diskFreeBytes / GIGABYTE).toFixed(1)} GB of disk free, ${kvm}`;
}
