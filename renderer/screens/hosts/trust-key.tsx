import { ShieldAlert, ShieldCheck } from 'lucide-react';
import type { FormEvent, ReactNode } from 'react';
import { CopyLine } from '../../design/copy-line.tsx';
import { Field, TextInput } from '../../design/field.tsx';
import { fingerprintGroups, judgeTyped } from '../../lib/fingerprint.ts';
import type { SeenKey } from '../../state/login-flow.ts';

/** Files of OpenSSH by key type, for the command that shows the fingerprint on the machine itself. */
const FILES: Readonly<Record<string, string>> = { 'ssh-ed25519': 'ed25519', 'ssh-rsa': 'rsa' };
const fileOf = (type: string): string => `/etc/ssh/ssh_host_${FILES[type] ?? (type.startsWith('ecdsa') ? 'ecdsa' : '*')}_key.pub`;

/** A host that is seen for the first time: its key, how to check it, and a confirmation that no stray Enter can give. */
export function TrustKey({ seen, form, typed, onTyped, onTrust }: { readonly seen: SeenKey; readonly form: string; readonly typed: string; readonly onTyped: (typed: string) => void; readonly onTrust: () => void }): ReactNode {
  const verdict = judgeTyped(typed, seen.fingerprint);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (verdict === 'confirmed') onTrust();
  };
  const error = verdict === 'different' ? 'This is another fingerprint. Do not go on: what answers may not be your machine.' : null;
  return (
    <form id={form} onSubmit={submit} className="flex flex-col gap-5" data-testid="trust-key">
      <p><strong className="font-semibold break-words">{seen.name}</strong> is seen for the first time. A machine that answers in its place would show another key, so compare this fingerprint with the one that its administrator or its provider gives.</p>
      <div className="rounded-lg border border-line bg-canvas p-4">
        <p className="mb-1.5 text-sm text-ink-soft">SHA-256 of its <code className="font-mono text-ink" data-testid="key-type">{seen.type}</code> key</p>
        <p className="font-mono text-base break-words" data-testid="fingerprint" data-fingerprint={seen.fingerprint}>
          <span className="text-ink-faint">SHA256:</span>{fingerprintGroups(seen.fingerprint).map((group, index) => <span key={`${index}${group}`} className="mr-1.5 inline-block">{group}</span>)}
        </p>
      </div>
      {seen.file !== undefined && <p className="flex items-start gap-2 text-sm"><ShieldAlert aria-hidden="true" size={16} className="mt-0.5 shrink-0 text-warn" /><span>A certificate authority vouches for it in <code className="font-mono break-all">{seen.file}:{seen.line}</code>, but Vessel cannot check certificates: confirm its plain key.</span></p>}
      <div>
        <p className="mb-1.5 text-sm text-ink-soft">On the machine itself this shows the same line:</p>
        <CopyLine text={`ssh-keygen -lf ${fileOf(seen.type)}`} label="Copy the command" />
      </div>
      <Field label="Is it the same?" error={error} hint={verdict === 'confirmed' ? <span className="flex items-center gap-1.5 text-ok"><ShieldCheck aria-hidden="true" size={15} />{typed.trim().toLowerCase() === 'yes' ? 'Compared by eye' : 'The very same fingerprint'}</span> : 'Paste the fingerprint you were given, and Vessel compares; or compare by eye and type yes.'}>
        {(ids) => <TextInput {...ids} autoFocus className="font-mono" value={typed} placeholder="SHA256:…" onChange={(event) => onTyped(event.target.value)} data-testid="trust-typed" />}
      </Field>
    </form>
  );
}
