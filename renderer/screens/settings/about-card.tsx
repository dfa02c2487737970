import type { ReactNode } from 'react';
import { Card, CardHeader } from '../../design/surface.tsx';
import { formatDuration } from '../../lib/format.ts';
import { useClient } from '../../state/client-context.ts';
import { useCall } from '../../state/use-call.ts';

/** Where Vessel keeps its things, for those who want to look. */
export function AboutCard(): ReactNode {
  const client = useClient();
  const { loaded } = useCall((signal) => client.call('app.info', {}, { signal }), 'info');
  const info = loaded.value;
  if (info === null) return null;
  const rows: readonly (readonly [string, string])[] = [
    ['Version', info.version], ['Address', info.baseUrl], ['State', info.home], ['Rebuildable files', info.cache], ['Node', info.node], ['Running for', formatDuration(info.uptimeMs)],
  ];
  return (
    <Card>
      <CardHeader title="About" />
      <dl className="grid grid-cols-[auto_1fr] gap-x-8 gap-y-1 px-5 py-4">
        {rows.map(([name, value]) => <div key={name} className="contents"><dt className="text-ink-soft">{name}</dt><dd className="min-w-0 font-mono text-sm break-words">{value}</dd></div>)}
      </dl>
    </Card>
  );
}
