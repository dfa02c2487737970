import { Activity, Boxes, CircleHelp, Search, Server, Settings as SettingsIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { classes } from '../design/classes.ts';
import { Kbd, StateDot } from '../design/badge.tsx';
import { runningOn } from '../lib/host-view.ts';
import { type Route, routeHash } from '../lib/routes.ts';
import type { Tone } from '../lib/project-status.ts';
import { useStore } from '../state/store.ts';
import { Logo } from './logo.tsx';
import { MODIFIER } from './keys.ts';

const PLACES: readonly { readonly route: Route; readonly label: string; readonly icon: typeof Boxes; readonly id: string }[] = [
  { route: { screen: 'projects', panel: 'none' }, label: 'Projects', icon: Boxes, id: 'projects' },
  { route: { screen: 'activity', projectId: null }, label: 'Activity', icon: Activity, id: 'activity' },
  { route: { screen: 'hosts', panel: 'none' }, label: 'Hosts', icon: Server, id: 'hosts' },
  { route: { screen: 'settings' }, label: 'Settings', icon: SettingsIcon, id: 'settings' },
];

export function Sidebar(): ReactNode {
  const screen = useStore((state) => state.route.screen);
  const setModal = useStore((state) => state.setModal);
  const running = useStore((state) => Object.values(state.operations).filter((operation) => operation.state === 'running').length);
  return (
    <div className="flex h-full w-56 shrink-0 flex-col border-r border-line bg-surface">
      <div className="flex h-16 items-center gap-2.5 px-5">
        <Logo />
        <span className="text-lg font-semibold tracking-tight">Vessel</span>
      </div>
      <div className="px-3 pb-3">
        <button type="button" data-testid="open-palette" onClick={() => setModal({ kind: 'palette' })} className="flex h-8 w-full items-center gap-2 rounded-md border border-line bg-canvas px-2.5 text-ink-faint hover:border-line-strong">
          <Search aria-hidden="true" size={14} /><span className="flex-1 text-left">Go to…</span><Kbd>{MODIFIER}</Kbd><Kbd>K</Kbd>
        </button>
      </div>
      <nav aria-label="Main" className="flex flex-col gap-0.5 px-3">
        {PLACES.map(({ route, label, icon: Icon, id }) => {
          const here = route.screen === screen || (route.screen === 'hosts' && screen === 'host') || (id === 'projects' && (screen === 'files' || screen === 'diff'));
          return (
            <a key={id} href={routeHash(route)} data-testid={`nav-${id}`} aria-current={here ? 'page' : undefined} className={classes('flex h-9 items-center gap-3 rounded-md px-2.5 font-medium', here ? 'bg-accent-soft text-accent' : 'text-ink-soft hover:bg-sunken hover:text-ink')}>
              <Icon aria-hidden="true" size={17} />
              <span className="flex-1">{label}</span>
              {id === 'activity' && running > 0 && <span className="tabular rounded-full bg-info-soft px-1.5 text-xs text-info" aria-label={`${running} running`}>{running}</span>}
            </a>
          );
        })}
      </nav>
      <div className="mt-auto border-t border-line p-3">
        <HostLine />
        <button type="button" className="mt-1 flex h-8 w-full items-center gap-3 rounded-md px-2.5 text-sm text-ink-soft hover:bg-sunken hover:text-ink" onClick={() => setModal({ kind: 'shortcuts' })}>
          <CircleHelp aria-hidden="true" size={15} /><span className="flex-1 text-left">Shortcuts</span><Kbd>?</Kbd>
        </button>
      </div>
    </div>
  );
}

const TONES: Readonly<Record<string, Tone>> = { ready: 'live', 'not-provisioned': 'warn', unreachable: 'bad' };

function HostLine(): ReactNode {
  const host = useStore((state) => state.hosts['local']);
  const running = useStore((state) => runningOn('local', state.projects));
  if (host === undefined) return null;
  const { facts } = host;
  // The facts are as old as the last look at the host; what runs is known now.
  const state = host.status === 'ready' && facts !== null
    ? `${running} running · room for ${Math.max(0, facts.capacity.more + facts.capacity.running - running)}`
    : { ready: 'Ready', 'not-provisioned': 'Not set up yet', unreachable: 'Does not answer', unknown: 'Looking…' }[host.status];
  return (
    <a href="#/hosts/local" className="flex items-center gap-3 rounded-md px-2.5 py-2 hover:bg-sunken">
      <StateDot tone={TONES[host.status] ?? 'idle'} />
      <span className="min-w-0">
        <span className="block truncate text-sm font-medium">{facts?.hostname ?? host.name}</span>
        <span className="tabular block truncate text-xs text-ink-soft">{state}</span>
      </span>
    </a>
  );
}
