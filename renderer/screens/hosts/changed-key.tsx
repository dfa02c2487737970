import { OctagonX } from 'lucide-react';
import type { ReactNode } from 'react';
import { z } from 'zod';
import type { ErrorShape } from '#shared/errors.ts';
import { CopyLine } from '../../design/copy-line.tsx';
import { errorTitle } from '../../state/store.ts';

const DetailsSchema = z.object({
  name: z.string(), type: z.string(), fingerprint: z.string(), file: z.string(), line: z.number(),
  places: z.array(z.object({ file: z.string(), line: z.number(), type: z.string() })).default([]),
});

/** Whether this failure is a key that must not be trusted. */
export const isKeyAlarm = ({ code, details }: ErrorShape): boolean => (code === 'HOST_KEY_CHANGED' || code === 'HOST_KEY_REVOKED') && DetailsSchema.safeParse(details).success;

/** The hard stop: what was expected, where that stands, what came instead. There is nothing to click that goes on. */
export function ChangedKey({ error }: { readonly error: ErrorShape }): ReactNode {
  const parsed = DetailsSchema.safeParse(error.details);
  if (!parsed.success) return null;
  const { name, type, fingerprint, file, line, places } = parsed.data;
  const known = places.length > 0 ? places : [{ file, line, type }];
  const files = [...new Set(known.map((place) => place.file))];
  return (
    <div role="alert" data-testid="changed-key" className="flex flex-col gap-4">
      <div className="flex items-start gap-3 rounded-lg border border-bad/35 bg-bad-soft p-4">
        <OctagonX aria-hidden="true" size={20} className="mt-0.5 shrink-0 text-bad" />
        <div className="min-w-0">
          <p className="font-semibold text-bad">{errorTitle(error)} <code className="ml-1 font-mono text-xs font-medium" data-testid="error-code">{error.code}</code></p>
          <p className="mt-1">Nothing was sent to it. Someone may be intercepting your connection to <span className="font-medium break-words">{name}</span>, or the machine was reinstalled.</p>
        </div>
      </div>
      <dl className="grid grid-cols-[auto_1fr] gap-x-5 gap-y-2">
        <dt className="text-ink-soft">On file</dt>
        <dd className="min-w-0">{known.map((place) => <p key={`${place.file}:${place.line}`} className="font-mono text-sm break-all" data-testid="known-place">{place.file}:{place.line} <span className="inline-block text-ink-soft">({place.type})</span></p>)}</dd>
        <dt className="text-ink-soft">Shown now</dt>
        <dd className="min-w-0 font-mono text-sm break-all">{fingerprint} <span className="inline-block text-ink-soft">({type})</span></dd>
      </dl>
      {error.code === 'HOST_KEY_CHANGED' && (
        <div>
          <p className="mb-1.5 text-sm text-ink-soft">Only if you know that the machine was reinstalled, take the old key off in a terminal, then come back:</p>
          <div className="flex flex-col gap-1.5">{files.map((path) => <CopyLine key={path} text={`ssh-keygen -R ${quoted(name)} -f ${quoted(path)}`} label="Copy the command" />)}</div>
        </div>
      )}
      {error.code === 'HOST_KEY_REVOKED' && <p>{error.hint}</p>}
    </div>
  );
}

/** For a POSIX shell; names and paths without surprises stay as they are. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
