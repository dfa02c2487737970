import { X } from 'lucide-react';
import type { KeyboardEvent, ReactNode } from 'react';
import { classes } from '../../design/classes.ts';
import type { OpenFile } from './use-open-files.ts';

/** The open files. A dot says that a file has changes which are not a revision yet. */
export function EditorTabs({ files, active, changed, onOpen, onClose }: {
  readonly files: readonly OpenFile[]; readonly active: string | null; readonly changed: ReadonlySet<string>; readonly onOpen: (path: string) => void; readonly onClose: (path: string) => void;
}): ReactNode {
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = files.findIndex(({ path }) => path === active);
    if (event.key === 'Delete' && active !== null) { onClose(active); return; }
    const next = move === undefined ? undefined : files[(at + move + files.length) % files.length];
    if (next === undefined) return;
    onOpen(next.path);
    event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')[files.indexOf(next)]?.focus();
  };
  return (
    <div role="tablist" aria-label="Open files" onKeyDown={onKeyDown} className="flex h-9 min-w-0 flex-1 items-stretch overflow-x-auto">
      {files.map(({ path }) => {
        const chosen = path === active;
        const name = path.slice(path.lastIndexOf('/') + 1);
        return (
          <div key={path} role="presentation" className={classes('group/tab flex max-w-56 shrink-0 items-center border-r border-line pr-1', chosen ? 'bg-surface shadow-[inset_0_2px_0_var(--accent)]' : 'bg-canvas text-ink-soft hover:text-ink')}>
            <button type="button" role="tab" aria-selected={chosen} tabIndex={chosen ? 0 : -1} title={path} data-testid={`tab-${path}`} onClick={() => onOpen(path)} onAuxClick={(event) => { if (event.button === 1) onClose(path); }} className="flex h-full min-w-0 items-center gap-2 pr-1 pl-3 text-sm">
              <span className="truncate">{name}</span>
              {changed.has(path) && <span aria-label="changed" className="size-1.5 shrink-0 rounded-full bg-warn" />}
            </button>
            <button type="button" tabIndex={-1} aria-label={`Close ${name}`} onClick={() => onClose(path)} className={classes('flex size-5 items-center justify-center rounded-sm text-ink-faint hover:bg-sunken hover:text-ink', !chosen && 'opacity-0 group-hover/tab:opacity-100')}><X size={13} /></button>
          </div>
        );
      })}
    </div>
  );
}
