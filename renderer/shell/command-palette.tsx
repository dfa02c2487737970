import { Search } from 'lucide-react';
import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { classes } from '../design/classes.ts';
import { Kbd } from '../design/badge.tsx';
import { sortedHosts } from '../lib/host-view.ts';
import { matchScore } from '../lib/match.ts';
import { useClient } from '../state/client-context.ts';
import { useStore } from '../state/store.ts';
import { allCommands, type Command } from './commands.tsx';

/** More than this nobody reads; typing narrows it. */
const SHOWN = 12;

export function CommandPalette({ onClose }: { readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const projects = useStore((state) => state.projects);
  const hosts = useStore((state) => state.hosts);
  const [query, setQuery] = useState('');
  const [chosen, setChosen] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => { dialog.current?.showModal(); }, []);

  const commands = useMemo(() => allCommands(client, Object.values(projects).filter((project) => project.deletedAt === null)
    .toSorted((a, b) => (b.lastOpenedAt ?? b.createdAt) - (a.lastOpenedAt ?? a.createdAt)), sortedHosts(hosts)), [client, projects, hosts]);
  const found = useMemo(() => find(commands, query), [commands, query]);
  const run = (command: Command | undefined): void => {
    if (command === undefined) return;
    onClose();
    command.run();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined && found.length > 0) {
      event.preventDefault();
      setChosen((before) => (before + move + found.length) % found.length);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      run(found[chosen]);
    }
  };

  return (
    <dialog
      ref={dialog} aria-label="Go to anything" data-testid="palette" onCancel={(event) => { event.preventDefault(); onClose(); }}
      onMouseDown={(event) => { if (event.target === dialog.current) onClose(); }}
      className="mx-auto mt-[14vh] w-[620px] max-w-[calc(100vw-32px)] overflow-hidden rounded-xl border border-line bg-surface p-0 text-ink shadow-overlay"
    >
      <div className="flex items-center gap-3 border-b border-line px-4">
        <Search aria-hidden="true" size={17} className="text-ink-faint" />
        <input
          autoFocus type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant={found[chosen] === undefined ? undefined : `palette-${chosen}`} aria-label="Search commands"
          placeholder="Type a project or an action" value={query} onChange={(event) => { setQuery(event.target.value); setChosen(0); }} onKeyDown={onKeyDown}
          className="h-12 flex-1 bg-transparent text-lg outline-none"
        />
        <Kbd>Esc</Kbd>
      </div>
      <ul id="palette-list" role="listbox" aria-label="Commands" className="max-h-[420px] overflow-y-auto p-2">
        {found.map((command, index) => (
          <li
            key={command.id} id={`palette-${index}`} role="option" aria-selected={index === chosen} onClick={() => run(command)} onMouseMove={() => setChosen(index)}
            className={classes('flex h-10 cursor-pointer items-center gap-3 rounded-md px-3', index === chosen && 'bg-accent-soft')}
          >
            <span aria-hidden="true" className={index === chosen ? 'text-accent' : 'text-ink-faint'}>{command.icon}</span>
            <span className="min-w-0 flex-1 truncate">{command.label}</span>
            <span className="shrink-0 font-mono text-xs text-ink-faint">{command.hint}</span>
          </li>
        ))}
        {found.length === 0 && <li role="presentation" className="px-3 py-8 text-center text-ink-soft">Nothing is called “{query}”.</li>}
      </ul>
    </dialog>
  );
}

function find(commands: readonly Command[], query: string): readonly Command[] {
  if (query.trim() === '') {
    const first = commands.filter((command) => command.id.startsWith('open:')).slice(0, 5);
    return [...first, ...commands.filter((command) => command.group !== 'Projects' && !(command.group === 'Hosts' && !command.id.startsWith('host:')))].slice(0, SHOWN);
  }
  return commands.map((command) => ({ command, score: matchScore(`${command.label} ${command.hint}`, query) }))
    .filter((item) => item.score > 0).sort((a, b) => b.score - a.score).slice(0, SHOWN).map((item) => item.command);
}
