import type { ReactNode } from 'react';
import type { Tone } from '../lib/project-status.ts';
import { classes } from './classes.ts';

const DOTS: Readonly<Record<Tone, string>> = { idle: 'bg-line-strong', busy: 'bg-info', live: 'bg-live', warn: 'bg-warn', bad: 'bg-bad' };

/** A state at a glance; the words beside it say the same, so colour is never the only sign. */
export function StateDot({ tone, className }: { readonly tone: Tone; readonly className?: string }): ReactNode {
  const moving = tone === 'busy' || tone === 'live';
  return (
    <span aria-hidden="true" className={classes('relative inline-flex size-2 shrink-0', className)}>
      {moving && <span className={classes('absolute -inset-1 rounded-full opacity-25', DOTS[tone], tone === 'busy' && 'animate-[vessel-breathe_1.2s_ease-in-out_1.5s_infinite]')} />}
      <span className={classes('relative inline-flex size-2 rounded-full', DOTS[tone])} />
    </span>
  );
}

export type BadgeTone = 'neutral' | 'ok' | 'warn' | 'bad' | 'info' | 'accent';
const BADGES: Readonly<Record<BadgeTone, string>> = {
  neutral: 'bg-sunken text-ink-soft', ok: 'bg-ok-soft text-ok', warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad', info: 'bg-info-soft text-info', accent: 'bg-accent-soft text-accent',
};

export function Badge({ tone = 'neutral', children, className }: { readonly tone?: BadgeTone; readonly children: ReactNode; readonly className?: string }): ReactNode {
  return <span className={classes('inline-flex h-5 items-center gap-1 rounded-sm px-1.5 text-xs font-medium whitespace-nowrap', BADGES[tone], className)}>{children}</span>;
}

export function Kbd({ children }: { readonly children: ReactNode }): ReactNode {
  return <kbd className="inline-flex h-5 min-w-5 items-center justify-center rounded-sm border border-line bg-sunken px-1 font-mono text-xs text-ink-soft">{children}</kbd>;
}
