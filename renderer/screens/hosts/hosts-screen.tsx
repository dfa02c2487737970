import { Plus, Server } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button } from '../../design/button.tsx';
import { Card, EmptyState, Page } from '../../design/surface.tsx';
import { formatCount } from '../../lib/format.ts';
import { hostStanding, sortedHosts } from '../../lib/host-view.ts';
import type { Route } from '../../lib/routes.ts';
import { leaveRoute, navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { AddHostDialog } from './add-host-dialog.tsx';
import { HostRow } from './host-row.tsx';

/** Every machine that environments can run on. */
export function HostsScreen({ route }: { readonly route: Extract<Route, { readonly screen: 'hosts' }> }): ReactNode {
  const known = useStore((state) => state.hosts);
  const loaded = useStore((state) => state.loaded);
  const hosts = sortedHosts(known);
  const remote = hosts.filter(({ kind }) => kind === 'ssh');
  const away = remote.filter((host) => !hostStanding(host).answers).length;
  const add = (): void => navigate({ screen: 'hosts', panel: 'add' });
  return (
    <Page
      title="Hosts" description={!loaded ? 'Loading…' : remote.length === 0 ? 'This computer' : `This computer and ${formatCount(remote.length, 'host')} over SSH${away > 0 ? ` · ${away} not connected` : ''}`}
      actions={<Button variant="primary" icon={<Plus size={15} />} onClick={add} data-testid="add-host">Add a host</Button>}
    >
      <Card><ul className="divide-y divide-line" data-testid="hosts">{hosts.map((host) => <HostRow key={host.id} host={host} />)}</ul></Card>
      {loaded && remote.length === 0 && (
        <EmptyState
          icon={<Server size={26} />} title="No hosts but this computer"
          actions={<Button size="large" icon={<Plus size={16} />} onClick={add} data-testid="first-host">Add a host</Button>}
        >
          <p>Any Debian or Ubuntu machine that you reach over SSH can run your environments, and feels like this one. Nothing is installed there before you have seen the plan.</p>
        </EmptyState>
      )}
      {route.panel === 'add' && <AddHostDialog onClose={() => leaveRoute(route, { screen: 'hosts', panel: 'none' })} />}
    </Page>
  );
}
