import type { ReactNode } from 'react';
import { formatPercent } from '../lib/format.ts';
import { classes } from './classes.ts';

/** A bar from 0 to 1. Screen readers hear its label and value; the movement itself is left to CSS. */
export function Progress({ value, label, className, tone = 'accent' }: { readonly value: number; readonly label: string; readonly className?: string; readonly tone?: 'accent' | 'warn' | 'terminal' | 'terminal-bad' }): ReactNode {
  const fill = { accent: 'bg-accent', warn: 'bg-warn', terminal: 'bg-term-green', 'terminal-bad': 'bg-term-red' }[tone];
  return (
    <div
      role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.floor(value * 100)} aria-valuetext={formatPercent(value)}
      className={classes('h-1.5 overflow-hidden rounded-full', tone === 'accent' || tone === 'warn' ? 'bg-line' : 'bg-term-line', className)}
    >
      <div className={classes('h-full origin-left rounded-full transition-transform duration-150 ease-out', fill)} style={{ transform: `scaleX(${Math.max(0, Math.min(1, value))})` }} />
    </div>
  );
}
