import { HardDrive, MemoryStick } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Project, Tier } from '#shared/project.ts';
import { Button } from '../../design/button.tsx';
import { Progress } from '../../design/progress.tsx';
import { formatBytes } from '../../lib/format.ts';
import { shortages, type Metrics } from '../../lib/room.ts';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';

const NEXT: Readonly<Record<Tier, Tier | null>> = { small: 'medium', medium: 'large', large: null };

/** Memory and disk of the environment, and the way on when one of them runs out. */
export function Room({ project, metrics }: { readonly project: Project; readonly metrics: Metrics }): ReactNode {
  const client = useClient();
  const { memory, disk } = shortages(metrics);
  const larger = NEXT[project.settings.tier];
  return (
    <section className="flex flex-col gap-2 border-t border-line px-4 py-3 text-sm" aria-label="Memory and disk" data-testid="room">
      <Meter icon={<MemoryStick aria-hidden="true" size={14} />} name="Memory" used={metrics.memoryUsedBytes} total={metrics.memoryTotalBytes} short={memory} />
      <Meter icon={<HardDrive aria-hidden="true" size={14} />} name="Disk" used={metrics.diskUsedBytes} total={metrics.diskTotalBytes} short={disk} />
      {memory && (
        <div role="alert" data-testid="low-memory" className="flex items-center justify-between gap-3">
          <p className="min-w-0 text-xs text-warn">Low on memory. Stop a program, or open it with more.</p>
          {larger !== null && <Button size="small" onClick={() => void attempt(() => client.call('projects.update', { projectId: project.id, settings: { tier: larger } }))} data-testid="more-memory">More memory at the next open</Button>}
        </div>
      )}
      {metrics.memoryKills.count > 0 && <p data-testid="memory-kills" className="text-xs text-ink-soft">Memory ran out: {metrics.memoryKills.process ?? 'a process'} was ended{metrics.memoryKills.count > 1 ? `, ${metrics.memoryKills.count} processes in all` : ''}.</p>}
      {disk && <p role="alert" data-testid="low-disk" className="text-xs text-warn">The disk is almost full. Delete what you can make again, such as build output: <code>du -xh ~ | sort -h | tail</code></p>}
    </section>
  );
}

function Meter({ icon, name, used, total, short }: { readonly icon: ReactNode; readonly name: string; readonly used: number; readonly total: number; readonly short: boolean }): ReactNode {
  const share = total === 0 ? 0 : used / total;
  return (
    <div className="flex items-center gap-2">
      <span className="text-ink-faint">{icon}</span>
      <span className="w-16">{name}</span>
      <Progress value={share} label={`${name} in use`} className="flex-1" tone={short ? 'warn' : 'accent'} />
      <span className="tabular w-32 text-right text-xs text-ink-soft">{formatBytes(used)} of {formatBytes(total)}</span>
    </div>
  );
}
