import { Ban, ChevronRight, CircleAlert, CircleCheck, LoaderCircle } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { OpenResultSchema, SaveResultSchema } from '#shared/contract.ts';
import { OPERATION_KINDS, type Operation } from '#shared/operation.ts';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { Select } from '../../design/field.tsx';
import { Card } from '../../design/surface.tsx';
import { formatBytes, formatCount, formatDuration, formatPercent } from '../../lib/format.ts';
import { routeHash } from '../../lib/routes.ts';
import { currentStep, operationElapsed } from '../../lib/step-timing.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';
import { useCall } from '../../state/use-call.ts';
import { TimeAgo } from '../projects/time-ago.tsx';

type StateFilter = Operation['state'] | 'all';
type KindFilter = Operation['kind'] | 'all';
const STATES: readonly { readonly value: StateFilter; readonly label: string }[] = [
  { value: 'all', label: 'Any outcome' }, { value: 'running', label: 'Running' }, { value: 'succeeded', label: 'Succeeded' }, { value: 'failed', label: 'Failed' }, { value: 'cancelled', label: 'Cancelled' },
];
const KINDS: readonly { readonly value: KindFilter; readonly label: string }[] = [
  { value: 'all', label: 'Any kind' }, ...OPERATION_KINDS.map((kind) => ({ value: kind, label: `${kind.charAt(0).toUpperCase()}${kind.slice(1)}` })),
];
const ICONS = { running: LoaderCircle, succeeded: CircleCheck, failed: CircleAlert, cancelled: Ban } as const;
const INKS = { running: 'text-info', succeeded: 'text-ok', failed: 'text-bad', cancelled: 'text-ink-faint' } as const;
const LIMIT = 200;

export function OperationList({ projectId }: { readonly projectId: string | null }): ReactNode {
  const client = useClient();
  const live = useStore((state) => state.operations);
  const [state, setState] = useState<StateFilter>('all');
  const [kind, setKind] = useState<KindFilter>('all');
  const { loaded, reload } = useCall((signal) => client.call('operations.list', { ...(projectId === null ? {} : { projectId }), limit: LIMIT }, { signal }), projectId ?? '');
  const merged = new Map((loaded.value?.operations ?? []).map((operation) => [operation.id, operation]));
  for (const operation of Object.values(live)) if (projectId === null || operation.projectId === projectId) merged.set(operation.id, operation);
  const shown = [...merged.values()].filter((operation) => (state === 'all' || operation.state === state) && (kind === 'all' || operation.kind === kind)).toSorted((a, b) => b.startedAt - a.startedAt);
  return (
    <>
      <div className="mb-3 flex gap-2">
        <Select aria-label="Kind" value={kind} options={KINDS} onValue={setKind} data-testid="filter-kind" />
        <Select aria-label="Outcome" value={state} options={STATES} onValue={setState} data-testid="filter-state" />
      </div>
      {loaded.state === 'failed' && <div className="mb-3"><ErrorPanel error={loaded.error} onRetry={reload} /></div>}
      <Card>
        <ul className="divide-y divide-line" data-testid="operations">{shown.map((operation) => <Row key={operation.id} operation={operation} />)}</ul>
        {shown.length === 0 && <p className="px-5 py-12 text-center text-ink-soft">{loaded.state === 'loading' ? 'Loading…' : 'Nothing to show.'}</p>}
      </Card>
    </>
  );
}

/** What came of it in one line: the revision of a save, how an environment was started. Empty when there is no more to say. */
function outcomeOf(operation: Operation): string {
  const saved = SaveResultSchema.safeParse(operation.result);
  if (saved.success) return `Revision ${saved.data.archive.rev} verified · ${formatCount(saved.data.archive.files, 'file')} · ${formatBytes(saved.data.archive.bytes)}${saved.data.changed ? '' : ' · nothing had changed'}`;
  const opened = OpenResultSchema.safeParse(operation.result);
  return opened.success ? (opened.data.startKind === 'clone' ? 'Cloned from the template' : 'Booted cold') : '';
}

function Row({ operation }: { readonly operation: Operation }): ReactNode {
  const name = useStore((state) => (operation.projectId === null ? (operation.hostId === 'local' ? 'This computer' : operation.hostId ?? '') : state.projects[operation.projectId]?.name ?? operation.projectId));
  const Icon = ICONS[operation.state];
  const note = operation.state === 'succeeded' ? outcomeOf(operation) : operation.state === 'running' ? `${currentStep(operation)?.title ?? ''} · ${formatPercent(operation.progress)}` : operation.error?.message ?? '';
  return (
    <li>
      <a href={routeHash({ screen: 'console', operationId: operation.id })} data-testid={`operation-${operation.id}`} className="flex items-center gap-4 px-5 py-3 hover:bg-canvas">
        <Icon aria-hidden="true" size={17} className={`shrink-0 ${INKS[operation.state]} ${operation.state === 'running' ? 'animate-spin' : ''}`} />
        <span className="min-w-0 flex-1">
          <span className="block truncate font-medium">{operation.title}<span className="sr-only">, {operation.state}</span></span>
          <span className={`block truncate text-sm ${operation.state === 'failed' ? 'text-bad' : 'text-ink-soft'}`}>{note === '' ? name : note}</span>
        </span>
        <span className="tabular w-24 shrink-0 text-right text-sm text-ink-soft">{operation.state === 'running' ? '' : formatDuration(operationElapsed(operation, 0))}</span>
        <span className="w-28 shrink-0 text-right text-sm text-ink-soft"><TimeAgo at={operation.startedAt} /></span>
        <ChevronRight aria-hidden="true" size={15} className="shrink-0 text-ink-faint" />
      </a>
    </li>
  );
}
