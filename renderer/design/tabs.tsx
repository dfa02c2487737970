import type { KeyboardEvent, ReactNode } from 'react';
import { classes } from './classes.ts';

/** Tabs over one panel that the caller renders with `role="tabpanel"`; arrow keys choose. */
export function Tabs<T extends string>({ label, value, tabs, onValue }: {
  readonly label: string; readonly value: T; readonly tabs: readonly { readonly value: T; readonly label: string; readonly count?: number }[]; readonly onValue: (value: T) => void;
}): ReactNode {
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (move === undefined) return;
    const at = tabs.findIndex((tab) => tab.value === value);
    const next = tabs[(at + move + tabs.length) % tabs.length];
    if (next === undefined) return;
    onValue(next.value);
    event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')[tabs.indexOf(next)]?.focus();
  };
  return (
    <div role="tablist" aria-label={label} className="inline-flex self-start gap-0.5 rounded-lg bg-sunken p-0.5" onKeyDown={onKeyDown}>
      {tabs.map((tab) => {
        const chosen = tab.value === value;
        return (
          <button
            key={tab.value} type="button" role="tab" aria-selected={chosen} tabIndex={chosen ? 0 : -1} onClick={() => onValue(tab.value)} data-testid={`tab-${tab.value}`}
            className={classes('inline-flex h-7 items-center gap-1.5 rounded-md px-3 text-base font-medium', chosen ? 'bg-raised text-ink shadow-card' : 'text-ink-soft hover:text-ink')}
          >
            {tab.label}
            {tab.count !== undefined && <span className="tabular text-xs text-ink-faint">{tab.count}</span>}
          </button>
        );
      })}
    </div>
  );
}
