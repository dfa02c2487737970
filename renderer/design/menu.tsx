import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { IconButton } from './button.tsx';
import { classes } from './classes.ts';

export type MenuItem = {
  readonly id: string;
  readonly label: string;
  readonly icon: ReactNode;
  readonly tone?: 'normal' | 'bad';
  readonly disabled?: boolean;
  readonly onSelect: () => void;
};

const GAP = 4;

/** A menu button on the browser's popover: closes with Escape or a click beside it, arrow keys move within it. */
export function Menu({ label, icon, items, testId }: { readonly label: string; readonly icon: ReactNode; readonly items: readonly MenuItem[]; readonly testId?: string }): ReactNode {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  /** A closed menu has no items: a list of cards that scrolls makes many menus and opens none. */
  const [open, setOpen] = useState(false);

  const place = (): void => {
    const anchor = button.current?.getBoundingClientRect();
    const box = list.current;
    if (anchor === undefined || box === null) return;
    const below = anchor.bottom + GAP + box.offsetHeight <= window.innerHeight;
    box.style.left = `${Math.max(GAP, anchor.right - box.offsetWidth)}px`;
    box.style.top = `${below ? anchor.bottom + GAP : Math.max(GAP, anchor.top - GAP - box.offsetHeight)}px`;
    box.querySelector<HTMLElement>('[role=menuitem]:not(:disabled)')?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const entries = [...(list.current?.querySelectorAll<HTMLElement>('[role=menuitem]:not(:disabled)') ?? [])];
    const at = entries.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    entries[(next + entries.length) % entries.length]?.focus();
  };

  return (
    <>
      <IconButton ref={button} label={label} size="small" popoverTarget={id} aria-haspopup="menu" data-testid={testId}>{icon}</IconButton>
      <div
        ref={list} id={id} popover="auto" role="menu" aria-label={label} onKeyDown={onKeyDown}
        onBeforeToggle={(event) => { if (event.newState === 'open') flushSync(() => setOpen(true)); }}
        onToggle={(event) => { if (event.newState === 'open') place(); else setOpen(false); }}
        className="fixed min-w-48 rounded-lg border border-line bg-raised p-1 text-ink shadow-raised"
      >
        {open && items.map((item) => (
          <button
            key={item.id} type="button" role="menuitem" tabIndex={-1} disabled={item.disabled} data-testid={`menu-${item.id}`}
            className={classes('flex h-8 w-full items-center gap-2.5 rounded-md px-2.5 text-left text-base hover:bg-sunken focus:bg-sunken disabled:opacity-45', item.tone === 'bad' && 'text-bad')}
            onClick={() => { list.current?.hidePopover(); item.onSelect(); }}
          >
            <span aria-hidden="true" className={item.tone === 'bad' ? '' : 'text-ink-faint'}>{item.icon}</span>
            {item.label}
          </button>
        ))}
      </div>
    </>
  );
}
