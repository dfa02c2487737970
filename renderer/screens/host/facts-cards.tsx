import { Cpu, HardDrive, Layers, MemoryStick } from 'lucide-react';
import type { ReactNode } from 'react';
import type { HostFacts } from '#shared/host-protocol.ts';
import { Badge, type BadgeTone } from '../../design/badge.tsx';
import { Card, CardHeader } from '../../design/surface.tsx';
import { Progress } from '../../design/progress.tsx';
import { formatBytes, formatCount, formatDate } from '../../lib/format.ts';
import { tierText } from '../projects/templates.tsx';
import { Tile } from './tile.tsx';

const ACCELERATORS = { kvm: 'Hardware (KVM)', tcg: 'Emulation (TCG)', unknown: 'Not probed yet' } as const;

/** What this machine offers, in the order a person asks: how fast, how much, with what. */
export function FactsCards({ facts }: { readonly facts: HostFacts }): ReactNode {
  const used = facts.memoryTotalBytes - facts.memoryAvailableBytes;
  return (
    <>
      <div className="grid grid-cols-2 gap-4 xl:grid-cols-4">
        <Tile icon={<Cpu size={16} />} label="Accelerator" value={ACCELERATORS[facts.accelerator.kind]} testId="accelerator">{facts.accelerator.why}</Tile>
        <Tile icon={<Layers size={16} />} label="Capacity" value={facts.ready ? `Room for ${facts.capacity.more} more` : 'Known after set up'}>{facts.capacity.running} running · about {formatBytes(facts.capacity.perEnvironmentBytes)} each when idle</Tile>
        <Tile icon={<MemoryStick size={16} />} label="Memory" value={`${formatBytes(facts.memoryAvailableBytes)} free`}><Progress value={used / facts.memoryTotalBytes} label="Memory in use" className="mb-1.5" />of {formatBytes(facts.memoryTotalBytes)} · {formatCount(facts.cpus, 'core')}</Tile>
        <Tile icon={<HardDrive size={16} />} label="Disk" value={`${formatBytes(facts.diskFreeBytes)} free`}>where environments and images live</Tile>
      </div>
      <Card>
        <CardHeader title="What environments start from" description="The image is built once; a template is a machine of it that has already booted, frozen, and cloned for every session." />
        <dl className="grid grid-cols-2 gap-x-8 gap-y-3 px-5 py-4 lg:grid-cols-4">
          <Fact name="Golden image">{facts.image === null ? 'not built yet' : <><code className="font-mono text-sm">{facts.image.key.slice(0, 12)}</code><br /><span className="text-sm text-ink-soft">{formatBytes(facts.image.bytes)}, built {formatDate(facts.image.builtAt)}</span></>}</Fact>
          <Fact name="Editor">{facts.image === null ? '–' : <>{facts.image.ide} <span className="tabular">{facts.image.ideVersion}</span></>}</Fact>
          <Fact name="QEMU">{facts.qemuVersion ?? 'not installed'}</Fact>
          <Fact name="Runs as">{facts.runUser ?? 'the same user as Vessel'}</Fact>
        </dl>
        <table className="w-full border-t border-line text-left">
          <caption className="sr-only">Templates</caption>
          <thead><tr className="text-sm text-ink-soft"><th className="px-5 py-2 font-medium">Template</th><th className="py-2 font-medium">Machine</th><th className="py-2 font-medium">State</th><th className="py-2 font-medium">Size</th><th className="px-5 py-2 font-medium">Built</th></tr></thead>
          <tbody>
            {facts.templates.map((template) => (
              <tr key={template.tier} className="border-t border-line" data-testid={`template-${template.tier}`}>
                <td className="px-5 py-2.5 font-medium capitalize">{template.tier}</td>
                <td className="tabular py-2.5">{tierText(template.tier)}</td>
                <td className="py-2.5"><Badge tone={TEMPLATE_TONES[template.state]}>{TEMPLATE_WORDS[template.state]}</Badge></td>
                <td className="tabular py-2.5">{template.bytes === 0 ? '–' : formatBytes(template.bytes)}</td>
                <td className="tabular px-5 py-2.5">{template.builtAt === null ? '–' : formatDate(template.builtAt)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Card>
    </>
  );
}

const TEMPLATE_TONES: Readonly<Record<HostFacts['templates'][number]['state'], BadgeTone>> = { ready: 'ok', stale: 'warn', missing: 'neutral', building: 'info' };
const TEMPLATE_WORDS: Readonly<Record<HostFacts['templates'][number]['state'], string>> = { ready: 'Ready', stale: 'Out of date, first open is slow', missing: 'Not built, first open is slow', building: 'Building…' };

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }): ReactNode {
  return <div><dt className="text-sm text-ink-soft">{name}</dt><dd className="font-medium">{children}</dd></div>;
}
