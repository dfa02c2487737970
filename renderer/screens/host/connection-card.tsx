import { KeyRound, PlugZap, Trash2 } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Host } from '#shared/contract.ts';
import type { ErrorShape } from '#shared/errors.ts';
import { Button } from '../../design/button.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { Card, CardHeader } from '../../design/surface.tsx';
import { formatDuration } from '../../lib/format.ts';
import { hostStanding, wantsPerson } from '../../lib/host-view.ts';
import { errorTitle, useStore } from '../../state/store.ts';
import { ChangedKey, isKeyAlarm } from '../hosts/changed-key.tsx';
import { HostLineState, useNextTry } from '../hosts/host-state.tsx';

/** The line to a host over SSH: how it is reached, whether it answers, why not, and what to do. */
export function ConnectionCard({ host }: { readonly host: Host }): ReactNode {
  const setModal = useStore((state) => state.setModal);
  const { action } = hostStanding(host);
  const next = useNextTry(host);
  const { ssh, probe } = host;
  // A line that is being made shows its last failure only while it is away.
  const error = host.connection === undefined || host.connection.state === 'connected' || host.connection.state === 'idle' ? null : host.connection.error;
  return (
    <Card>
      <CardHeader
        title="Connection"
        description={<span className="flex gap-1.5 text-base text-ink"><HostLineState host={host} />{next !== '' && <span className="text-ink-soft">· {next}</span>}</span>}
        aside={<>
          {action === 'none' ? null : <Button variant={action === 'sign-in' ? 'primary' : 'secondary'} icon={action === 'sign-in' ? <KeyRound size={15} /> : <PlugZap size={15} />} onClick={() => setModal({ kind: 'connect', hostId: host.id })} data-testid="host-connect">{action === 'sign-in' ? 'Sign in…' : 'Connect'}</Button>}
          <Button variant="quiet-danger" icon={<Trash2 size={15} />} onClick={() => setModal({ kind: 'remove-host', hostId: host.id })} data-testid="remove-host">Remove host…</Button>
        </>}
      />
      {error !== null && <div className="px-5 pt-4">{isKeyAlarm(error) ? <ChangedKey error={error} /> : wantsPerson(error.code) || host.connection?.state === 'reconnecting' ? <Waiting error={error} /> : <ErrorPanel error={error} />}</div>}
      <dl className="grid grid-cols-2 gap-x-8 gap-y-3 px-5 py-4 lg:grid-cols-4">
        <Fact name="Address"><code className="font-mono text-sm break-all">{ssh?.target}</code></Fact>
        <Fact name="Key">{ssh?.identityFile === null || ssh === undefined ? 'as ssh chooses' : <code className="font-mono text-sm break-all">{ssh.identityFile}</code>}</Fact>
        <Fact name="Signed in as">{probe === undefined ? '–' : <>{probe.user}{probe.sudo !== 'root' && <span className="font-normal text-ink-soft"> ({SUDO[probe.sudo]})</span>}</>}</Fact>
        <Fact name="Round trip"><span className="tabular">{probe === undefined ? '–' : formatDuration(probe.roundTripMs)}</span></Fact>
      </dl>
    </Card>
  );
}

/** Nothing is broken beyond what the next attempt, or a person, settles: no alarm, but the reason in full. */
function Waiting({ error }: { readonly error: ErrorShape }): ReactNode {
  return (
    <div data-testid="host-waiting" className="rounded-lg border border-warn/30 bg-warn-soft px-4 py-3">
      <p className="font-medium text-warn">{errorTitle(error)} <code className="ml-1 font-mono text-xs" data-testid="error-code">{error.code}</code></p>
      <p className="text-sm break-words text-ink-soft">{error.message}</p>
    </div>
  );
}

const SUDO = { passwordless: 'may act as root', password: 'root with a password', absent: 'no sudo' } as const;

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }): ReactNode {
  return <div className="min-w-0"><dt className="text-sm text-ink-soft">{name}</dt><dd className="font-medium">{children}</dd></div>;
}
