import { RefreshCw } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import type { Host } from '#shared/contract.ts';
import { Badge, type BadgeTone } from '../../design/badge.tsx';
import { Button } from '../../design/button.tsx';
import { Page } from '../../design/surface.tsx';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { TimeAgo } from '../projects/time-ago.tsx';
import { DoctorCard } from './doctor-card.tsx';
import { FactsCards } from './facts-cards.tsx';
import { PlanCard } from './plan-card.tsx';
import { RemoveCard } from './remove-card.tsx';

const STATUS: Readonly<Record<Host['status'], { readonly label: string; readonly tone: BadgeTone }>> = {
  ready: { label: 'Ready', tone: 'ok' }, 'not-provisioned': { label: 'Not set up', tone: 'warn' }, unreachable: { label: 'Does not answer', tone: 'bad' }, unknown: { label: 'Looking…', tone: 'neutral' },
};

/** One host: what it can do and why, how it is set up, checked and cleaned. */
export function HostScreen({ hostId }: { readonly hostId: string }): ReactNode {
  const client = useClient();
  const host = useStore((state) => state.hosts[hostId]);
  const [busy, setBusy] = useState(false);
  const refresh = async (): Promise<void> => {
    setBusy(true);
    await attempt(async () => useStore.getState().apply({ kind: 'host', host: await client.call('hosts.refresh', { hostId }) }));
    setBusy(false);
  };
  // Facts grow old: whoever looks at this page gets new ones. A host that does not answer says so by its own state.
  useEffect(() => {
    const abort = new AbortController();
    client.call('hosts.refresh', { hostId }, { signal: abort.signal }).then((fresh) => useStore.getState().apply({ kind: 'host', host: fresh }), () => undefined);
    return () => abort.abort();
  }, [client, hostId]);
  const title = hostId === 'local' ? 'This computer' : host?.name ?? hostId;
  if (host === undefined) return <Page title={title} description="Loading…">{null}</Page>;
  const status = STATUS[host.status];
  const active = host.activeOperationId;
  return (
    <Page
      title={title} description={host.facts === null ? host.name : `${host.facts.hostname} · ${host.facts.os} · Linux ${host.facts.kernel}`}
      actions={<>
        {host.factsAt !== null && <span className="mr-2 text-sm text-ink-soft">Seen <TimeAgo at={host.factsAt} /></span>}
        <Badge tone={status.tone} className="h-6 px-2.5">{status.label}</Badge>
        {active !== null && <Button onClick={() => navigate({ screen: 'console', operationId: active })}>Show progress</Button>}
        <Button icon={<RefreshCw size={14} />} disabled={busy} onClick={() => void refresh()} data-testid="host-refresh">Refresh</Button>
      </>}
    >
      <div className="flex flex-col gap-5" data-testid="host">
        {host.status === 'not-provisioned' && <PlanCard host={host} />}
        {host.facts !== null && <FactsCards facts={host.facts} />}
        <DoctorCard hostId={hostId} />
        {host.status !== 'not-provisioned' && <PlanCard host={host} />}
        <RemoveCard host={host} />
      </div>
    </Page>
  );
}
