import { ChevronRight, File, FileSymlink, Folder, FolderOpen } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useRef, useState } from 'react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { classes } from '../../design/classes.ts';
import type { TreeRow } from '../../lib/file-tree.ts';

const ROW_HEIGHT = 26;
const OVERSCAN = 12;
const MARKS = { added: { letter: 'A', ink: 'text-ok', says: 'new' }, changed: { letter: 'M', ink: 'text-warn', says: 'changed' }, removed: { letter: 'D', ink: 'text-bad', says: 'removed' } } as const;

/** A tree of any length: only the lines in view exist. One tab stop; arrow keys, Home, End and letters move within it. */
export function FileTree({ rows, chosen, onOpen, onToggle }: { readonly rows: readonly TreeRow[]; readonly chosen: string | null; readonly onOpen: (path: string) => void; readonly onToggle: (path: string) => void }): ReactNode {
  const scroller = useRef<HTMLDivElement>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_HEIGHT, overscan: OVERSCAN });
  const at = Math.max(0, rows.findIndex(({ path }) => path === (cursor ?? chosen)));

  const moveTo = (index: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (row === undefined) return;
    setCursor(row.path);
    virtual.scrollToIndex(rows.indexOf(row));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const row = rows[at];
    if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = (work: () => void): void => { event.preventDefault(); work(); };
    switch (event.key) {
      case 'ArrowDown': act(() => moveTo(at + 1)); return;
      case 'ArrowUp': act(() => moveTo(at - 1)); return;
      case 'Home': act(() => moveTo(0)); return;
      case 'End': act(() => moveTo(rows.length - 1)); return;
      case 'ArrowRight': act(() => { if (row.kind === 'folder' && !row.expanded) onToggle(row.path); else moveTo(at + 1); }); return;
      case 'ArrowLeft': act(() => { if (row.expanded) onToggle(row.path); else moveTo(rows.findLastIndex(({ depth }, index) => index < at && depth < row.depth)); }); return;
      case 'Enter': case ' ': act(() => { if (row.kind === 'folder') onToggle(row.path); else onOpen(row.path); }); return;
      default:
        if (event.key.length !== 1) return;
        moveTo([...rows.keys()].map((offset) => (at + 1 + offset) % rows.length).find((index) => rows[index]?.name.toLowerCase().startsWith(event.key.toLowerCase()) === true) ?? at);
    }
  };

  return (
    <div ref={scroller} role="tree" aria-label="Files" tabIndex={0} aria-activedescendant={rows[at] === undefined ? undefined : `row-${at}`} onKeyDown={onKeyDown} data-testid="file-tree" className="group min-h-0 flex-1 overflow-y-auto py-1 focus-visible:-outline-offset-2">
      <div role="presentation" className="relative w-full" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const row = rows[index];
          if (row === undefined) return null;
          const mark = row.change === null || row.change === 'inside' ? null : MARKS[row.change];
          return (
            <div
              key={row.path} id={`row-${index}`} role="treeitem" aria-level={row.depth + 1} aria-selected={row.path === chosen} aria-expanded={row.kind === 'folder' ? row.expanded : undefined} data-testid={`file-${row.path}`}
              title={row.path} onClick={() => { setCursor(row.path); if (row.kind === 'folder') onToggle(row.path); else onOpen(row.path); }}
              className={classes('absolute inset-x-1 flex cursor-pointer items-center gap-1.5 rounded-md pr-2 text-sm hover:bg-sunken', row.path === chosen && 'bg-accent-soft text-accent', index === at && 'group-focus-visible:outline-2 group-focus-visible:-outline-offset-2 group-focus-visible:outline-accent')}
              style={{ height: ROW_HEIGHT, transform: `translateY(${start}px)`, paddingLeft: 6 + row.depth * 14 }}
            >
              <RowIcon row={row} />
              <span className={classes('min-w-0 flex-1 truncate', row.change === 'removed' && 'line-through opacity-70', mark !== null && mark.ink)}>{row.name}</span>
              {row.loading && <span className="text-xs text-ink-faint">…</span>}
              {mark !== null && <span className={classes('font-mono text-xs font-semibold', mark.ink)} aria-label={mark.says}>{mark.letter}</span>}
              {row.change === 'inside' && <span className="size-1.5 rounded-full bg-warn" aria-label="changes inside" />}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function RowIcon({ row }: { readonly row: TreeRow }): ReactNode {
  if (row.kind !== 'folder') {
    const Icon = row.kind === 'link' ? FileSymlink : File;
    return <><span className="w-3.5 shrink-0" /><Icon aria-hidden="true" size={15} className="shrink-0 text-ink-faint" /></>;
  }
  const Icon = row.expanded ? FolderOpen : Folder;
  return <><ChevronRight aria-hidden="true" size={14} className={classes('shrink-0 text-ink-faint transition-transform', row.expanded && 'rotate-90')} /><Icon aria-hidden="true" size={15} className="shrink-0 text-accent" /></>;
}
