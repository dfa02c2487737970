import { ShieldCheck, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { z } from 'zod';
import { UnprovisionResultSchema } from '#shared/host-protocol.ts';
import { formatCount } from '../../lib/format.ts';

const CountSchema = z.object({ what: z.string(), before: z.number().int(), after: z.number().int(), added: z.array(z.string()), gone: z.array(z.string()) });
/** What a host answers when Vessel was taken off it; a host that counted says what is there now against what was there before. */
export const UnprovisionedSchema = UnprovisionResultSchema.extend({ proof: z.array(CountSchema).optional() });
export type Unprovisioned = z.infer<typeof UnprovisionedSchema>;

/** That nothing of Vessel is left on the host: what went, what stays and why, and the counts on both sides. */
export function UnprovisionProof({ result }: { readonly result: Unprovisioned }): ReactNode {
  const { removed, kept, proof = [] } = result;
  const differing = proof.filter(({ added, gone }) => added.length + gone.length > 0);
  return (
    <div data-testid="unprovision-proof" className="w-full rounded-lg border border-term-line bg-term-panel p-4 text-sm">
      {proof.length > 0 && (
        <p className="mb-3 flex items-center gap-2 text-base text-term-bright">
          {differing.length === 0 ? <><ShieldCheck aria-hidden="true" size={17} className="text-term-green" />The host is as it was before</> : <><TriangleAlert aria-hidden="true" size={17} className="text-term-amber" />The host differs from what it was before</>}
        </p>
      )}
      {proof.length > 0 && (
        <table className="mb-3 w-full text-left">
          <thead><tr className="text-term-dim"><th className="font-normal">counted</th><th className="font-normal">before</th><th className="font-normal">now</th><th className="font-normal">difference</th></tr></thead>
          <tbody>
            {proof.map(({ what, before, after, added, gone }) => (
              <tr key={what}>
                <td>{what}</td><td className="tabular">{before}</td><td className="tabular">{after}</td>
                <td className={added.length + gone.length === 0 ? 'text-term-green' : 'text-term-amber'}>{added.length + gone.length === 0 ? 'none' : [...added.map((item) => `+ ${item}`), ...gone.map((item) => `− ${item}`)].join(', ')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <details>
        <summary>{formatCount(removed.length, 'thing')} taken away</summary>
        <ul className="mt-2 max-h-40 overflow-y-auto text-xs leading-5">{removed.map((item) => <li key={item} className="break-words text-term-text">{item}</li>)}</ul>
      </details>
      {kept.length > 0 && <ul className="mt-3 border-t border-term-line pt-3">{kept.map(({ item, why }) => <li key={item} className="break-words"><span className="text-term-amber">{item} stays:</span> <span className="text-term-dim">{why}</span></li>)}</ul>}
    </div>
  );
}
