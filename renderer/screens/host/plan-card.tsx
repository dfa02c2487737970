import { CheckCircle2, Circle, CircleAlert, Hammer, ListChecks } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { Host } from '#shared/contract.ts';
import type { ErrorShape } from '#shared/errors.ts';
import { blocksProvisioning } from '#shared/host-protocol.ts';
import type { ProvisionResult } from '#shared/host-protocol.ts';
import { Button } from '../../design/button.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { Card, CardHeader } from '../../design/surface.tsx';
import { isAway } from '../../lib/host-view.ts';
import { formatCount } from '../../lib/format.ts';
import { startAndShow } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { PAGE_SCOPE } from '../../state/page-prompts.ts';
import { toShape } from '../../state/store.ts';

const THERE: readonly string[] = ['present', 'done', 'skipped'];

/** Provisioning in two clicks: first what would change, in words; then the change. */
export function PlanCard({ host }: { readonly host: Host }): ReactNode {
  const client = useClient();
  const [plan, setPlan] = useState<ProvisionResult | null>(null);
  const [error, setError] = useState<ErrorShape | null>(null);
  const [busy, setBusy] = useState(false);
  const ask = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      setPlan(await client.call('hosts.plan', { hostId: host.id, promptScope: PAGE_SCOPE }));
    } catch (caught) {
      setError(toShape(caught));
    }
    setBusy(false);
  };
  const away = isAway(host);
  const blocked = plan?.steps.filter(blocksProvisioning) ?? [];
  const missing = plan?.steps.filter((step) => !THERE.includes(step.state)).length ?? 0;
  return (
    <Card>
      <CardHeader
        title="Set up" description={away ? 'Connect first: the plan is made by looking at the machine.' : 'Every step says what it would change, does nothing when nothing is missing, and is written to a journal, so that it can be removed again.'}
        aside={<>
          <Button icon={<ListChecks size={15} />} disabled={busy || away} onClick={() => void ask()} data-testid="plan">{busy ? 'Looking…' : 'Show the plan'}</Button>
          <Button variant={host.status === 'not-provisioned' && !away ? 'primary' : 'secondary'} icon={<Hammer size={15} />} disabled={host.activeOperationId !== null || away} data-testid="provision" onClick={() => void startAndShow(() => client.call('hosts.provision', { hostId: host.id, promptScope: PAGE_SCOPE }))}>Provision</Button>
        </>}
      />
      {error !== null && <div className="p-5"><ErrorPanel error={error} onRetry={() => void ask()} /></div>}
      {plan !== null && (
        <div className="px-5 py-4" data-testid="plan-result">
          <p role="status" className="mb-3 font-medium">{blocked.length > 0 ? `Provisioning would stop: ${blocked.map(({ title }) => title).join(', ')}.` : missing === 0 ? 'Nothing is missing: provisioning would change nothing.' : `${formatCount(missing, 'step')} of ${plan.steps.length} would run:`}</p>
          <ol className="flex flex-col gap-2.5">
            {plan.steps.map((step) => {
              const there = THERE.includes(step.state);
              const blocks = blocksProvisioning(step);
              return (
                <li key={step.id} className="flex items-start gap-3">
                  {blocks ? <CircleAlert aria-hidden="true" size={17} className="mt-0.5 shrink-0 text-bad" /> : there ? <CheckCircle2 aria-hidden="true" size={17} className="mt-0.5 shrink-0 text-ok" /> : <Circle aria-hidden="true" size={17} className="mt-0.5 shrink-0 text-ink-faint" />}
                  <div className="min-w-0">
                    <p className={there ? 'text-ink-soft' : 'font-medium'}>{step.title}<span className="sr-only">{blocks ? ': in the way' : there ? ': present' : ': missing'}</span></p>
                    {there || blocks ? step.evidence !== '' && <p className={`text-sm break-words ${blocks ? 'text-ink-soft' : 'text-ink-faint'}`}>{step.evidence}</p>
                      : <ul className="list-inside list-disc text-sm text-ink-soft">{step.plan.map((line) => <li key={line} className="break-words">{line}</li>)}</ul>}
                  </div>
                </li>
              );
            })}
          </ol>
        </div>
      )}
    </Card>
  );
}
