import { type ReactNode, useState } from 'react';
import type { AuditEvent } from '#shared/contract.ts';
import { Button } from '../../design/button.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { TextInput } from '../../design/field.tsx';
import { Card } from '../../design/surface.tsx';
import { formatDateTime } from '../../lib/format.ts';
import { routeHash } from '../../lib/routes.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';
import { useCall } from '../../state/use-call.ts';

const PAGE = 100;

/** The audit trail, newest first; older pages on demand. */
export function EventList({ projectId }: { readonly projectId: string | null }): ReactNode {
  const client = useClient();
  const [query, setQuery] = useState('');
  const [limit, setLimit] = useState(PAGE);
  const latest = useStore((state) => Object.values(state.operations).reduce((newest, operation) => Math.max(newest, operation.endedAt ?? operation.startedAt), 0));
  const { loaded, reload } = useCall((signal) => client.call('events.list', { ...(projectId === null ? {} : { projectId }), limit }, { signal }), `${projectId ?? ''}/${limit}/${latest}`);
  const events = loaded.value?.events ?? [];
  const projects = useStore((state) => state.projects);
  const whose = (event: AuditEvent): string => (event.projectId === null ? '' : projects[event.projectId]?.name ?? event.projectId);
  const shown = events.filter((event) => `${event.kind} ${event.text} ${whose(event)}`.toLowerCase().includes(query.toLowerCase()));
  return (
    <>
      <div className="mb-3 w-72"><TextInput aria-label="Filter events" placeholder="Filter events" value={query} onChange={(event) => setQuery(event.target.value)} data-testid="filter-events" /></div>
      {loaded.state === 'failed' && <div className="mb-3"><ErrorPanel error={loaded.error} onRetry={reload} /></div>}
      <Card>
        <ol className="divide-y divide-line" data-testid="events">{shown.map((event) => <Row key={event.id} event={event} whose={projectId === null ? whose(event) : null} />)}</ol>
        {shown.length === 0 && <p className="px-5 py-12 text-center text-ink-soft">{loaded.state === 'loading' ? 'Loading…' : 'Nothing to show.'}</p>}
      </Card>
      {events.length >= limit && limit + PAGE <= 500 && <Button className="mt-3" onClick={() => setLimit(limit + PAGE)}>Show older</Button>}
    </>
  );
}

function Row({ event, whose }: { readonly event: AuditEvent; /** The project's name; null when all are of one. */ readonly whose: string | null }): ReactNode {
  return (
    <li className="flex items-baseline gap-4 px-5 py-2">
      <time className="tabular shrink-0 font-mono text-xs text-ink-faint">{formatDateTime(event.at)}</time>
      <code className="w-40 shrink-0 truncate font-mono text-xs text-accent" title={event.kind}>{event.kind}</code>
      {whose !== null && <span className="w-44 shrink-0 truncate font-medium" title={whose}>{whose}</span>}
      <span className="min-w-0 flex-1 break-words text-ink-soft">{event.text}</span>
      {event.operationId !== null && <a href={routeHash({ screen: 'console', operationId: event.operationId })} className="shrink-0 text-sm font-medium text-accent hover:underline">Console</a>}
    </li>
  );
}
