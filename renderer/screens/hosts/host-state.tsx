import type { ReactNode } from 'react';
import type { Host } from '#shared/contract.ts';
import { Badge, type BadgeTone, StateDot } from '../../design/badge.tsx';
import { formatLeft } from '../../lib/format.ts';
import { hostStanding } from '../../lib/host-view.ts';
import { useTicking } from '../../state/clock.ts';

const STATUS: Readonly<Record<Host['status'], { readonly label: string; readonly tone: BadgeTone }>> = {
  ready: { label: 'Ready', tone: 'ok' }, 'not-provisioned': { label: 'Not set up', tone: 'warn' }, unreachable: { label: 'Does not answer', tone: 'bad' }, unknown: { label: 'Looking…', tone: 'neutral' },
};

/** Whether Vessel is set up there, as far as it was seen last. */
export function HostStatus({ status, className }: { readonly status: Host['status']; readonly className?: string }): ReactNode {
  const { label, tone } = STATUS[status];
  return <Badge tone={tone} {...(className === undefined ? {} : { className })}>{label}</Badge>;
}

/** The line to it, in a word. */
export function HostLineState({ host }: { readonly host: Host }): ReactNode {
  const { tone, label } = hostStanding(host);
  return <span role="status" data-testid="host-line" className="flex min-w-0 items-center gap-2"><StateDot tone={tone} /><span className="truncate">{label}</span></span>;
}

/** `next attempt in 12 s`; empty when Vessel does not try by itself. */
export function useNextTry(host: Host | undefined): string {
  const nextTryAt = host === undefined ? null : hostStanding(host).nextTryAt;
  return useTicking((now) => (nextTryAt === null ? '' : nextTryAt <= now ? 'trying now' : `next attempt in ${formatLeft(nextTryAt, now)}`));
}
