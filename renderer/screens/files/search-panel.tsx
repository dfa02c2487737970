import { CaseSensitive, LoaderCircle, WholeWord } from 'lucide-react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { SearchItem } from '#shared/archive-contract.ts';
import { IconButton } from '../../design/button.tsx';
import { TextInput } from '../../design/field.tsx';
import { formatCount } from '../../lib/format.ts';
import { useClient } from '../../state/client-context.ts';
import { toShape } from '../../state/store.ts';

type Hit = Extract<SearchItem, { kind: 'name' | 'line' }>;
type Found = { readonly hits: readonly Hit[]; readonly end: Extract<SearchItem, { kind: 'end' }> | null; readonly failure: string | null; readonly running: boolean };
const NOTHING: Found = { hits: [], end: null, failure: null, running: false };
/** Typing goes on for about this long between two keys. */
const PAUSE_MS = 220;
const LIMIT = 500;

/** Searches names and contents of one revision while it is typed; a new question ends the one before. */
export function SearchPanel({ projectId, rev, onOpen }: { readonly projectId: string; readonly rev: number; readonly onOpen: (path: string, at: { readonly line: number; readonly column: number; readonly length: number } | null) => void }): ReactNode {
  const client = useClient();
  const [query, setQuery] = useState('');
  const [caseSensitive, setCase] = useState(false);
  const [wholeWord, setWord] = useState(false);
  const [found, setFound] = useState<Found>(NOTHING);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => { input.current?.focus(); }, []);

  useEffect(() => {
    const asked = query.trim();
    if (asked === '') { setFound(NOTHING); return; }
    const abort = new AbortController();
    const run = async (): Promise<void> => {
      const hits: Hit[] = [];
      let shown = 0;
      const show = (end: Found['end'], failure: string | null = null): void => { if (!abort.signal.aborted) setFound({ hits: [...hits], end, failure, running: end === null && failure === null }); };
      show(null);
      try {
        for await (const item of client.stream('archive.search', { projectId, rev, query: asked, caseSensitive, wholeWord, limit: LIMIT }, { signal: abort.signal })) {
          if (item.kind === 'end') show(item);
          else if (item.kind !== 'progress') hits.push(item);
          // The first ones at once, then in portions: each one by itself would render five hundred times.
          if (item.kind !== 'end' && (hits.length < 20 || hits.length - shown > 50)) { shown = hits.length; show(null); }
        }
      } catch (error) {
        show(null, toShape(error).message);
      }
    };
    const timer = setTimeout(() => void run(), PAUSE_MS);
    return () => { clearTimeout(timer); abort.abort(); };
  }, [client, projectId, rev, query, caseSensitive, wholeWord]);

  const groups = new Map<string, Hit[]>();
  for (const hit of found.hits) groups.set(hit.path, [...groups.get(hit.path) ?? [], hit]);
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex items-center gap-1 px-3 pt-3 pb-2">
        <TextInput ref={input} type="search" aria-label="Search names and contents" placeholder="Search names and contents" value={query} onChange={(event) => setQuery(event.target.value)} data-testid="file-search" className="[&::-webkit-search-cancel-button]:hidden" />
        <IconButton label="Match case" size="small" aria-pressed={caseSensitive} variant={caseSensitive ? 'secondary' : 'quiet'} onClick={() => setCase(!caseSensitive)}><CaseSensitive size={16} /></IconButton>
        <IconButton label="Whole words" size="small" aria-pressed={wholeWord} variant={wholeWord ? 'secondary' : 'quiet'} onClick={() => setWord(!wholeWord)}><WholeWord size={16} /></IconButton>
      </div>
      <p role="status" data-testid="search-status" className="flex min-h-5 items-center gap-1.5 px-3 pb-1 text-xs text-ink-soft">{found.running && <LoaderCircle aria-hidden="true" size={12} className="animate-spin" />}{statusText(found)}</p>
      <ul className="min-h-0 flex-1 overflow-y-auto px-1.5 pb-3" aria-label="Hits">
        {[...groups].map(([path, hits]) => (
          <li key={path} className="mb-1 [contain-intrinsic-size:auto_60px] [content-visibility:auto]">
            <button type="button" title={path} onClick={() => { if (hits[0]?.kind !== 'name' || hits[0].entryKind !== 'folder') onOpen(path, null); }} className="flex h-6 w-full items-baseline gap-1.5 truncate rounded-md px-1.5 text-left text-sm font-medium hover:bg-sunken">
              <span className="truncate">{path.slice(path.lastIndexOf('/') + 1)}</span><span className="truncate text-xs font-normal text-ink-faint">{path.slice(0, Math.max(0, path.lastIndexOf('/')))}</span>
            </button>
            {hits.map((hit) => hit.kind === 'name' ? null : (
              <button key={hit.line} type="button" data-testid="search-hit" onClick={() => onOpen(path, hit)} className="flex h-6 w-full items-center gap-2 rounded-md pr-1.5 pl-3 text-left font-mono text-xs [font-variant-ligatures:none] hover:bg-sunken">
                <span className="tabular w-8 shrink-0 text-right text-ink-faint">{hit.line}</span>
                <span className="truncate whitespace-pre"><Marked hit={hit} /></span>
              </button>
            ))}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Marked({ hit }: { readonly hit: Extract<Hit, { kind: 'line' }> }): ReactNode {
  const before = hit.text.slice(0, hit.start).trimStart();
  return <>{before.length > 24 ? `…${before.slice(-24)}` : before}<mark className="rounded-sm bg-warn-soft text-warn">{hit.text.slice(hit.start, hit.start + hit.length)}</mark>{hit.text.slice(hit.start + hit.length)}</>;
}

function statusText({ hits, end, failure, running }: Found): string {
  if (failure !== null) return failure;
  if (running) return hits.length === 0 ? 'Searching…' : `${formatCount(hits.length, 'hit')} so far`;
  if (end === null) return '';
  const skipped = end.skippedLarge > 0 ? `; ${formatCount(end.skippedLarge, 'large file')} left out` : '';
  return `${end.limited ? `The first ${hits.length} hits` : formatCount(hits.length, 'hit')} in ${formatCount(end.files, 'text file')}${skipped}`;
}
