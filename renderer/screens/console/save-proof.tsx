import { ShieldCheck } from 'lucide-react';
import type { ReactNode } from 'react';
import type { SaveResult, StoppedProgram } from '#shared/contract.ts';
import { formatBytes, formatCount, formatDateTime } from '../../lib/format.ts';

/** Why it is safe that the environment is gone: what was stored, and when it was read back the same. `readBack`: this save did so itself; otherwise the one that made the revision had. */
export function SaveProof({ result, ended, readBack }: { readonly result: SaveResult; readonly ended: boolean; readonly readBack: boolean }): ReactNode {
  const { archive, revision, changed, stopped = [] } = result;
  const rows: readonly (readonly [string, string, string])[] = [
    ['revision', changed ? String(archive.rev) : `${archive.rev} (nothing had changed)`, 'proof-rev'],
    ['sha256', archive.sha256.slice(0, 16), 'proof-sha256'],
    ['files', `${formatCount(archive.files, 'file')}, ${formatBytes(revision.contentBytes)} of content`, 'proof-files'],
    ['archive', formatBytes(archive.bytes), 'proof-bytes'],
    ['verified', formatDateTime(archive.verifiedAt), 'proof-verified'],
  ];
  return (
    <div data-testid="save-proof" className="w-full rounded-lg border border-term-line bg-term-panel p-4">
      <p className="flex items-center gap-2 text-term-bright"><ShieldCheck aria-hidden="true" size={17} className="text-term-green" /><span data-testid="proof-title">{readBack ? 'Read back from cold storage; the hash matched' : `Nothing had changed: revision ${archive.rev} was read back when it was saved`}</span></p>
      <dl className="mt-3 grid grid-cols-[auto_1fr] gap-x-6 gap-y-0.5 text-sm">
        {rows.map(([name, value, id]) => <div key={name} className="contents"><dt className="text-term-dim">{name}</dt><dd className="min-w-0 break-words text-term-text" data-testid={id} title={name === 'sha256' ? archive.sha256 : undefined}>{value}</dd></div>)}
      </dl>
      <div className="mt-3 border-t border-term-line pt-3 text-sm">
        {revision.leftOut.length === 0
          ? <p className="text-term-dim">Nothing was left out.</p>
          : (
            <details>
              <summary className="text-term-text" data-testid="proof-left-out">{formatCount(revision.leftOut.length, 'thing')} left out, by the rules of this project</summary>
              <ul className="mt-2 max-h-40 overflow-y-auto text-xs leading-5">
                {revision.leftOut.map((item) => <li key={item.path} className="break-words"><span className="text-term-text">{item.path}</span> <span className="text-term-dim">{item.reason}</span></li>)}
              </ul>
            </details>
          )}
      </div>
      {stopped.length > 0 && (
        <div className="mt-3 border-t border-term-line pt-3 text-sm" data-testid="proof-stopped">
          <p className="text-term-text">{formatCount(stopped.length, 'program')} stopped for the last save</p>
          <ul className="mt-2 max-h-40 overflow-y-auto text-xs leading-5">
            {stopped.map((program) => <li key={program.pid} className="break-words"><span className="text-term-text">{program.command}</span> <span className="text-term-dim">{stoppedNote(program)}</span></li>)}
          </ul>
        </div>
      )}
      {ended && <p className="mt-3 text-sm text-term-dim">The environment was ended after that; nothing of it is left.</p>}
    </div>
  );
}

function stoppedNote({ pid, how, wrote }: StoppedProgram): string {
  return [`process ${pid}`, how === 'ended' ? 'ended when asked' : 'did not end when asked; held still, then ended with the machine', ...(wrote.length > 0 ? [`wrote ${wrote.join(', ')}`] : [])].join(' · ');
}
