import { ChevronRight, Ellipsis, HardDrive, KeyRound, PlugZap, Server, Stethoscope, Trash2 } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Host } from '#shared/contract.ts';
import { Button } from '../../design/button.tsx';
import { Menu, type MenuItem } from '../../design/menu.tsx';
import { acceleratorText, capacityText, hostStanding, projectsOn, runningOn } from '../../lib/host-view.ts';
import { formatCount } from '../../lib/format.ts';
import { routeHash } from '../../lib/routes.ts';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { HostLineState, HostStatus, useNextTry } from './host-state.tsx';

/** One host at a glance, and the one thing to do about it. The whole row leads to its page. */
export function HostRow({ host }: { readonly host: Host }): ReactNode {
  const projects = useStore((state) => state.projects);
  const setModal = useStore((state) => state.setModal);
  const held = projectsOn(host.id, projects).length;
  const { action } = hostStanding(host);
  const next = useNextTry(host);
  const accelerator = acceleratorText(host);
  const Icon = host.kind === 'local' ? HardDrive : Server;
  const connect = (): void => setModal({ kind: 'connect', hostId: host.id });
  const items: readonly MenuItem[] = [
    { id: 'doctor', label: 'Doctor…', icon: <Stethoscope size={15} />, onSelect: () => navigate({ screen: 'host', hostId: host.id }) },
    ...(host.kind === 'ssh' ? [
      { id: 'connect', label: 'Connect again', icon: <PlugZap size={15} />, onSelect: connect },
      { id: 'remove-host', label: 'Remove…', icon: <Trash2 size={15} />, tone: 'bad' as const, onSelect: () => setModal({ kind: 'remove-host', hostId: host.id }) },
    ] : []),
  ];
  return (
    <li data-testid={`host-${host.id}`} className="relative flex items-center gap-4 px-5 py-4 hover:bg-canvas/60 has-[a:focus-visible]:bg-canvas/60">
      <div className="flex size-10 shrink-0 items-center justify-center rounded-lg bg-accent-soft text-accent"><Icon aria-hidden="true" size={19} /></div>
      <div className="grid min-w-0 flex-1 grid-cols-[minmax(0,5fr)_minmax(0,4fr)_minmax(0,4fr)] items-center gap-4">
        <div className="min-w-0">
          <h2 className="flex items-center gap-2">
            {/* The link covers the row; what else can be clicked lies above it. */}
            <a href={routeHash({ screen: 'host', hostId: host.id })} className="truncate text-lg leading-6 font-semibold tracking-tight after:absolute after:inset-0" data-testid="host-link">{host.name}</a>
            <HostStatus status={host.status} />
          </h2>
          <p className="truncate text-sm text-ink-soft">{host.ssh === undefined ? host.facts?.hostname ?? 'where Vessel runs' : <span className="font-mono">{host.ssh.target}</span>}</p>
        </div>
        <div className="min-w-0 text-sm">
          <HostLineState host={host} />
          <p className="truncate pl-4 text-ink-soft">{next !== '' ? capitalised(next) : held === 0 ? 'No projects' : formatCount(held, 'project')}</p>
        </div>
        <div className="min-w-0 text-sm">
          <p className={accelerator.good === false ? 'truncate text-warn' : 'truncate'} data-testid="host-accelerator">{accelerator.text}</p>
          <p className="tabular truncate text-ink-soft" data-testid="host-capacity">{capacityText(host, runningOn(host.id, projects))}</p>
        </div>
      </div>
      <div className="relative z-10 flex w-38 shrink-0 items-center justify-end gap-1">
        {action === 'sign-in' && <Button size="small" variant="primary" icon={<KeyRound size={14} />} onClick={connect} data-testid="host-connect">Sign in…</Button>}
        {action === 'connect' && <Button size="small" icon={<PlugZap size={14} />} onClick={connect} data-testid="host-connect">Connect</Button>}
        <Menu label={`More for ${host.name}`} icon={<Ellipsis size={17} />} items={items} testId="host-menu" />
        <ChevronRight aria-hidden="true" size={16} className="text-ink-faint" />
      </div>
    </li>
  );
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
