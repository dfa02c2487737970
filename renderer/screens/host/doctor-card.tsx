import { CircleAlert, CircleCheck, CircleMinus, Stethoscope, TriangleAlert, Wrench } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { ErrorShape } from '#shared/errors.ts';
import type { DoctorResult } from '#shared/host-protocol.ts';
import { Button } from '../../design/button.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { Card, CardHeader } from '../../design/surface.tsx';
import { formatDuration } from '../../lib/format.ts';
import { useClient } from '../../state/client-context.ts';
import { toShape } from '../../state/store.ts';

const ICONS = { ok: CircleCheck, warn: TriangleAlert, fail: CircleAlert, skipped: CircleMinus } as const;
const INKS = { ok: 'text-ok', warn: 'text-warn', fail: 'text-bad', skipped: 'text-ink-faint' } as const;
const WORDS = { ok: 'good', warn: 'could be better', fail: 'fails', skipped: 'not checked' } as const;

/** Names the stage, the evidence and the one fix. */
export function DoctorCard({ hostId }: { readonly hostId: string }): ReactNode {
  const client = useClient();
  const [result, setResult] = useState<DoctorResult | null>(null);
  const [error, setError] = useState<ErrorShape | null>(null);
  const [busy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      setResult(await client.call('hosts.doctor', { hostId }));
    } catch (caught) {
      setError(toShape(caught));
    }
    setBusy(false);
  };
  return (
    <Card>
      <CardHeader title="Doctor" description="Walks from the processor to a served page and names the first thing that does not work, with its fix." aside={<Button icon={<Stethoscope size={15} />} disabled={busy} onClick={() => void run()} data-testid="doctor">{busy ? 'Checking…' : 'Run the doctor'}</Button>} />
      {error !== null && <div className="p-5"><ErrorPanel error={error} onRetry={() => void run()} /></div>}
      {result !== null && (
        <div className="px-5 py-4" data-testid="doctor-result">
          <p role="status" className={`mb-3 font-medium ${result.healthy ? 'text-ok' : 'text-bad'}`}>{result.healthy ? 'Healthy: environments can run here.' : 'Not healthy: see the first failing stage.'}</p>
          <ul className="flex flex-col gap-2.5">
            {result.checks.map((check) => {
              const Icon = ICONS[check.state];
              return (
                <li key={check.stage} className="flex items-start gap-3">
                  <Icon aria-hidden="true" size={17} className={`mt-0.5 shrink-0 ${INKS[check.state]}`} />
                  <div className="min-w-0 flex-1">
                    <p className="font-medium">{check.stage}<span className="sr-only">: {WORDS[check.state]}</span></p>
                    <p className="text-sm break-words text-ink-soft">{check.evidence}</p>
                    {check.fix !== null && <p className="mt-0.5 flex items-start gap-1.5 text-sm"><Wrench aria-hidden="true" size={13} className="mt-1 shrink-0 text-warn" />{check.fix}</p>}
                  </div>
                  <span className="tabular shrink-0 text-sm text-ink-faint">{formatDuration(check.ms)}</span>
                </li>
              );
            })}
          </ul>
        </div>
      )}
    </Card>
  );
}
