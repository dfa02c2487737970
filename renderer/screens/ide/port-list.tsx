import { ExternalLink } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { CallOutput } from '#shared/contract.ts';
import type { ErrorShape } from '#shared/errors.ts';
import { useClient } from '../../state/client-context.ts';
import { toShape } from '../../state/store.ts';
import { usePoll } from '../../state/use-poll.ts';

const ASK_EVERY_MS = 4_000;

/** What the guest listens on, each a click away. */
export function PortList({ projectId }: { readonly projectId: string }): ReactNode {
  const client = useClient();
  const [ports, setPorts] = useState<CallOutput<'environments.ports'>['ports'] | null>(null);
  const [error, setError] = useState<ErrorShape | null>(null);
  usePoll(async (signal) => {
    try {
      setPorts((await client.call('environments.ports', { projectId }, { signal })).ports);
      setError(null);
    } catch (caught) {
      if (!signal.aborted) setError(toShape(caught));
    }
  }, ASK_EVERY_MS, true);
  // A ticket in the address is for one entry: each click asks for a fresh one, in a tab that the click itself opened.
  const open = async (port: number): Promise<void> => {
    const tab = window.open('about:blank', '_blank');
    try {
      const { url } = await client.call('environments.url', { projectId, port, frame: false });
      if (tab === null) window.open(url, '_blank', 'noopener');
      else tab.location.replace(url);
    } catch (caught) {
      tab?.close();
      setError(toShape(caught));
    }
  };
  return (
    <section className="border-t border-line px-4 py-3" aria-label="Ports" data-testid="ports">
      <h3 className="mb-1 text-xs font-semibold text-ink-soft">Ports</h3>
      {error !== null && <p className="text-sm text-bad">{error.message}</p>}
      {ports !== null && ports.length === 0 && <p className="text-sm text-ink-soft">No server is listening. Start one in the terminal and it shows up here.</p>}
      {ports === null && error === null && <p className="text-sm text-ink-soft">Asking the environment…</p>}
      <ul className="-mx-2 max-h-56 overflow-y-auto">
        {ports?.map((item) => (
          <li key={item.port}>
            <button type="button" data-testid={`port-${item.port}`} className="flex h-8 w-full items-center gap-3 rounded-md px-2 text-left hover:bg-sunken" onClick={() => void open(item.port)}>
              <span className="tabular w-12 font-mono text-sm font-medium text-accent">{item.port}</span>
              <span className="min-w-0 flex-1 truncate text-sm text-ink-soft">{item.process ?? 'unknown process'}</span>
              <ExternalLink aria-hidden="true" size={13} className="text-ink-faint" /><span className="sr-only">opens in a new tab</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
