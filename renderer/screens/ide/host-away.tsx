import { CloudOff, KeyRound, PlugZap, Unplug } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import type { Host } from '#shared/contract.ts';
import { Button } from '../../design/button.tsx';
import { classes } from '../../design/classes.ts';
import { EmptyState } from '../../design/surface.tsx';
import { type HostStanding, hostStanding } from '../../lib/host-view.ts';
import { awayText } from '../../lib/project-status.ts';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { useNextTry } from '../hosts/host-state.tsx';

/** Long enough to be read once; VS Code itself shows how it catches up. */
const BACK_MS = 8_000;

export type Away = { readonly host: Host; readonly standing: HostStanding };
const sentence = ({ host, standing }: Away): string => { const text = awayText(host.name, standing.label); return `${text.charAt(0).toUpperCase()}${text.slice(1)}`; };

function ConnectButton({ away, small }: { readonly away: Away; readonly small: boolean }): ReactNode {
  const setModal = useStore((state) => state.setModal);
  const { action } = hostStanding(away.host);
  if (action === 'none') return null;
  return <Button size={small ? 'small' : 'medium'} variant={action === 'sign-in' || !small ? 'primary' : 'secondary'} pill={small} icon={action === 'sign-in' ? <KeyRound size={13} /> : <PlugZap size={13} />} onClick={() => setModal({ kind: 'connect', hostId: away.host.id })} data-testid="away-connect">{action === 'sign-in' ? 'Sign in…' : 'Try now'}</Button>;
}

/**
 * Over VS Code while the line to its host is broken, and for a moment after it came back. The page below stays as it is:
 * what was typed is in it, and VS Code goes on by itself.
 */
export function HostAwayBanner({ away, name, onReload }: { readonly away: Away | null; readonly name: string; readonly onReload: () => void }): ReactNode {
  const next = useNextTry(away?.host);
  const [back, setBack] = useState(false);
  const [wasAway, setWasAway] = useState(false);
  // Derived while rendering, as React wants it: the return is seen in the very render that has no host away any more.
  if ((away !== null) !== wasAway) {
    setWasAway(away !== null);
    setBack(away === null);
  }
  useEffect(() => {
    if (!back) return;
    const timer = setTimeout(() => setBack(false), BACK_MS);
    return () => clearTimeout(timer);
  }, [back]);
  if (away === null && !back) return null;
  return (
    <div role="status" data-testid="host-away" data-state={away === null ? 'back' : 'away'} className={classes('absolute inset-x-0 top-3 z-20 mx-auto flex w-max max-w-[calc(100vw-32px)] animate-[vessel-enter_140ms_ease-out] items-center gap-3 rounded-full border bg-raised py-1.5 pl-4 shadow-overlay', away === null ? 'border-ok/40' : 'border-warn/50', away === null || hostStanding(away.host).action !== 'none' ? 'pr-2' : 'pr-4')}>
      {away === null
        ? <><PlugZap aria-hidden="true" size={16} className="shrink-0 text-ok" /><span><strong className="font-semibold text-ok">The host is back.</strong> <span className="text-ink-soft">{name} went on meanwhile.</span></span><Button size="small" pill onClick={onReload} data-testid="away-reload">Reload VS Code</Button></>
        : <><CloudOff aria-hidden="true" size={16} className="shrink-0 text-warn" /><span><strong className="font-semibold text-warn">{sentence(away)}.</strong> <span className="text-ink-soft">{name} keeps running there{next === '' ? '' : `; ${next}`}.</span></span><ConnectButton away={away} small /></>}
    </div>
  );
}

/** In the place of VS Code when its host is away before it was ever loaded here. */
export function HostAwayPage({ away, name }: { readonly away: Away; readonly name: string }): ReactNode {
  const next = useNextTry(away.host);
  return (
    <div data-testid="host-away-page" className="absolute inset-0 flex items-center justify-center overflow-auto bg-canvas p-8">
      <EmptyState icon={<Unplug size={24} />} title={sentence(away)} actions={<><Button onClick={() => navigate({ screen: 'projects', panel: 'none' })}>Back to projects</Button><Button onClick={() => navigate({ screen: 'host', hostId: away.host.id })}>Show the host</Button><ConnectButton away={away} small={false} /></>}>
        <p>{name} keeps running there, with everything in it. VS Code opens here as soon as the line is back{next === '' ? '' : `; ${next}`}.</p>
        {away.host.connection?.error != null && <p className="mt-3 text-sm">{away.host.connection.error.message}</p>}
      </EmptyState>
    </div>
  );
}
