import { ShieldCheck } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Card, CardHeader } from '../../design/surface.tsx';
import { Field, NumberInput, Switch } from '../../design/field.tsx';
import { formatBytes, formatCount } from '../../lib/format.ts';
import { attempt, startAndShow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';
import { useCall } from '../../state/use-call.ts';

const GB = 1_000_000_000;

/** What lies in cold storage, whether it is sound, and, for a store elsewhere, what can be read with the network off. */
export function StorageCard(): ReactNode {
  const client = useClient();
  const { loaded, reload } = useCall((signal) => client.call('offline.status', {}, { signal }), 'offline');
  const projects = useStore((state) => state.projects);
  const [budget, setBudget] = useState<number | null>(null);
  const status = loaded.value;
  if (status === null) return null;
  const living = Object.values(projects).filter((project) => project.deletedAt === null);
  const shown = budget ?? Math.round((status.budgetBytes / GB) * 10) / 10;
  return (
    <Card>
      <CardHeader
        title="Stored archives"
        description={status.whole ? 'Every revision is a file of this computer: all projects can be browsed, searched and edited with the network off.' : `${formatCount(status.available.length, 'project')} of ${living.length} can be read with the network off: ${formatCount(status.archives, 'copy', 'copies')}, ${formatBytes(status.bytes)}.`}
        aside={<Button icon={<ShieldCheck size={14} />} onClick={() => void startAndShow(() => client.call('store.check', {}))} data-testid="check-store">Check everything</Button>}
      />
      {!status.whole && (
        <div className="flex flex-col gap-4 p-5">
          <Field label="Copies may take, in GB" hint="What was used least recently goes first; projects that are always kept stay.">{(ids) => (
            <div className="flex gap-2">
              <NumberInput {...ids} min={0} step={0.5} className="max-w-40" value={shown} onValue={setBudget} />
              <Button disabled={budget === null || !Number.isFinite(budget) || budget < 0} onClick={() => void attempt(() => client.call('settings.set', { offline: { budgetBytes: Math.round(shown * GB) } }), 'Saved').then(reload)}>Apply</Button>
            </div>
          )}</Field>
          <ul className="flex max-h-72 flex-col divide-y divide-line overflow-y-auto rounded-lg border border-line" aria-label="Always kept on this computer">
            {living.map((project) => (
              <li key={project.id} className="flex items-center gap-3 px-3 py-2">
                <span className="min-w-0 flex-1 truncate">{project.name}</span>
                <span className="text-sm text-ink-soft">{status.available.includes(project.id) ? 'here' : 'not here'}</span>
                <Switch label={`Always keep ${project.name} on this computer`} checked={status.kept.includes(project.id)} onChecked={(keep) => void attempt(() => client.call('offline.keep', { projectId: project.id, keep })).then(reload)} />
              </li>
            ))}
          </ul>
        </div>
      )}
    </Card>
  );
}
