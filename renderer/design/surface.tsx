import type { ReactNode } from 'react';
import { classes } from './classes.ts';

export function Card({ children, className }: { readonly children: ReactNode; readonly className?: string }): ReactNode {
  return <section className={classes('rounded-lg border border-line bg-surface shadow-card', className)}>{children}</section>;
}

/** A card's title row; `aside` stands at its right end. */
export function CardHeader({ title, description, aside }: { readonly title: string; readonly description?: ReactNode; readonly aside?: ReactNode }): ReactNode {
  return (
    <header className="flex items-start justify-between gap-4 border-b border-line px-5 py-4 last:border-b-0">
      <div className="min-w-0">
        <h2 className="text-lg font-semibold">{title}</h2>
        {description !== undefined && <p className="mt-0.5 max-w-prose text-sm text-ink-soft">{description}</p>}
      </div>
      {aside !== undefined && <div className="flex shrink-0 items-center gap-2">{aside}</div>}
    </header>
  );
}

/** The frame of every screen that is not full-screen: a title row that stays, and a body that scrolls. */
export function Page({ title, description, actions, children, wide = false }: {
  readonly title: string; readonly description?: ReactNode; readonly actions?: ReactNode; readonly children: ReactNode; readonly wide?: boolean;
}): ReactNode {
  return (
    <div className="flex h-full min-w-0 flex-col">
      <header className="shrink-0 border-b border-line bg-surface/60">
        <div className={classes('mx-auto flex min-h-16 w-full items-center justify-between gap-4 px-8 py-3', !wide && 'max-w-[1120px]')}>
        <div className="min-w-0">
          <h1 className="truncate text-xl font-semibold tracking-tight">{title}</h1>
          {description !== undefined && <p className="truncate text-sm text-ink-soft">{description}</p>}
        </div>
        {actions !== undefined && <div className="flex shrink-0 items-center gap-2">{actions}</div>}
        </div>
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto" tabIndex={-1} data-scroller="">
        <div className={classes('mx-auto w-full px-8 py-6', !wide && 'max-w-[1120px]')}>{children}</div>
      </div>
    </div>
  );
}

export function EmptyState({ icon, title, children, actions }: { readonly icon: ReactNode; readonly title: string; readonly children: ReactNode; readonly actions?: ReactNode }): ReactNode {
  return (
    <div className="flex flex-col items-center justify-center px-6 py-20 text-center">
      <div aria-hidden="true" className="mb-5 flex size-14 items-center justify-center rounded-xl border border-line bg-surface text-accent shadow-card">{icon}</div>
      <h2 className="text-xl font-semibold tracking-tight">{title}</h2>
      <div className="mt-2 max-w-md text-ink-soft">{children}</div>
      {actions !== undefined && <div className="mt-6 flex gap-2">{actions}</div>}
    </div>
  );
}

/** A notice above a screen's content. */
export function Banner({ tone, icon, title, children, actions, testId }: {
  readonly tone: 'info' | 'warn' | 'bad'; readonly icon: ReactNode; readonly title: string; readonly children?: ReactNode; readonly actions?: ReactNode; readonly testId?: string;
}): ReactNode {
  const tones = { info: 'border-info/30 bg-info-soft', warn: 'border-warn/30 bg-warn-soft', bad: 'border-bad/30 bg-bad-soft' } as const;
  const inks = { info: 'text-info', warn: 'text-warn', bad: 'text-bad' } as const;
  return (
    <div role="status" data-testid={testId} className={classes('mb-5 flex items-center gap-3 rounded-lg border px-4 py-3', tones[tone])}>
      <span aria-hidden="true" className={classes('shrink-0', inks[tone])}>{icon}</span>
      <div className="min-w-0 flex-1">
        <p className={classes('font-semibold', inks[tone])}>{title}</p>
        {children !== undefined && <div className="text-sm text-ink-soft">{children}</div>}
      </div>
      {actions !== undefined && <div className="flex shrink-0 gap-2">{actions}</div>}
    </div>
  );
}
