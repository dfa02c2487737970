import { RefreshCw } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import type { Host } from '#shared/contract.ts';
import { Button } from '../../design/button.tsx';
import { Page } from '../../design/surface.tsx';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { navigate, replaceRoute } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { TimeAgo } from '../projects/time-ago.tsx';
import { HostStatus } from '../hosts/host-state.tsx';
import { ConnectionCard } from './connection-card.tsx';
import { DoctorCard } from './doctor-card.tsx';
import { FactsCards } from './facts-cards.tsx';
import { PlanCard } from './plan-card.tsx';
import { ProbeCards } from './probe-cards.tsx';
import { RemoveCard } from './remove-card.tsx';

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
  const loaded = useStore((state) => state.loaded);
  const gone = loaded && host === undefined;
  useEffect(() => { if (gone) replaceRoute({ screen: 'hosts', panel: 'none' }); }, [gone]);
  const title = hostId === 'local' ? 'This computer' : host?.name ?? hostId;
  if (host === undefined) return <Page title={title} description="Loading…">{null}</Page>;
  const active = host.activeOperationId;
  return (
    <Page
      title={title} description={describe(host)}
      actions={<>
        {host.factsAt !== null && <span className="mr-2 text-sm text-ink-soft">Seen <TimeAgo at={host.factsAt} /></span>}
        <HostStatus status={host.status} className="h-6 px-2.5" />
        {active !== null && <Button onClick={() => navigate({ screen: 'console', operationId: active })}>Show progress</Button>}
        <Button icon={<RefreshCw size={14} />} disabled={busy} onClick={() => void refresh()} data-testid="host-refresh">Refresh</Button>
      </>}
    >
      <div className="flex flex-col gap-5" data-testid="host">
        {host.kind === 'ssh' && <ConnectionCard host={host} />}
        {host.status === 'not-provisioned' && <PlanCard host={host} />}
        {host.facts !== null ? <FactsCards facts={host.facts} /> : host.probe !== undefined && <ProbeCards probe={host.probe} />}
        <DoctorCard hostId={hostId} />
        {host.status !== 'not-provisioned' && <PlanCard host={host} />}
        <RemoveCard host={host} />
      </div>
    </Page>
  );
}

function describe({ facts, probe, name }: Host): string {
  if (facts !== null) return `${facts.hostname} · ${facts.os} · Linux ${facts.kernel}`;
  return probe === undefined ? name : `${probe.hostname} · ${probe.os.name} · Linux ${probe.kernel}`;
}
