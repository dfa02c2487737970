import { Cpu, HardDrive, MemoryStick, Server } from 'lucide-react';
import type { ReactNode } from 'react';
import type { HostProbe } from '#shared/contract.ts';
import { Progress } from '../../design/progress.tsx';
import { formatBytes, formatCount } from '../../lib/format.ts';
import { Tile } from './tile.tsx';

const KVM = {
  usable: ['There', 'whether a guest really runs is proved when the host is set up'], 'no-access': ['There', 'this user may not open it yet; setting up gives a user of its own the right'],
  absent: ['Not there', 'guests would run in emulation: slow'],
} as const;

/** What a machine is before anything was installed on it: seen by looking only. */
export function ProbeCards({ probe }: { readonly probe: HostProbe }): ReactNode {
  const [kvm, why] = KVM[probe.kvm];
  return (
    <div className="grid grid-cols-2 gap-4 xl:grid-cols-4" data-testid="probe">
      <Tile icon={<Server size={16} />} label="System" value={probe.os.name}>{probe.architecture} · Linux {probe.kernel}</Tile>
      <Tile icon={<Cpu size={16} />} label="/dev/kvm" value={kvm} testId="accelerator">{why}</Tile>
      <Tile icon={<MemoryStick size={16} />} label="Memory" value={`${formatBytes(probe.memoryAvailableBytes)} free`}><Progress value={(probe.memoryTotalBytes - probe.memoryAvailableBytes) / probe.memoryTotalBytes} label="Memory in use" className="mb-1.5" />of {formatBytes(probe.memoryTotalBytes)} · {formatCount(probe.cpus, 'core')}</Tile>
      <Tile icon={<HardDrive size={16} />} label="Disk" value={`${formatBytes(probe.diskFreeBytes)} free`}>where environments and images would live</Tile>
    </div>
  );
}
