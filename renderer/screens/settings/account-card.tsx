import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import type { AccountStatus } from '#shared/cloud-contract.ts';
import { Button } from '../../design/button.tsx';
import { Field, TextInput } from '../../design/field.tsx';
import { Card, CardHeader } from '../../design/surface.tsx';
import { formatAgo, formatBytes } from '../../lib/format.ts';
import { attempt } from '../../state/actions.ts';
import { useClient } from '../../state/client-context.ts';
import { useCall } from '../../state/use-call.ts';

/** Pending changes go up while one looks. */
const REFRESH_MS = 5_000;

const STATES: Readonly<Record<AccountStatus['state'], string>> = {
  'not-configured': 'Projects rest on this computer only. A Supabase project of yours keeps a second copy and brings them to your other computers.',
  'signed-out': 'You are not signed in. What is only on this computer is uploaded after you sign in.',
  online: 'Everything goes up by itself.',
  offline: 'The cloud cannot be reached. Work on: everything is kept here and goes up later.',
  'over-quota': 'The cloud storage is full. Your work is safe on this computer.',
  paused: 'The cloud project is paused. Wake it in its dashboard.',
  failing: 'The cloud does not answer properly. Vessel tries again by itself.',
};

/** The cloud that projects also rest in: its address, who is signed in, and what is still only here. */
export function AccountCard(): ReactNode {
  const client = useClient();
  const { loaded, reload } = useCall((signal) => client.call('account.status', {}, { signal }), 'account');
  useEffect(() => {
    const timer = setInterval(reload, REFRESH_MS);
    return () => clearInterval(timer);
  }, [reload]);
  const status = loaded.value;
  if (status === null) return null;
  const act = (work: () => Promise<unknown>, said?: string): void => { void attempt(async () => { await work(); }, said).then(reload); };
  return (
    <Card>
      <CardHeader title="Cloud" description={STATES[status.state]} />
      <div className="flex flex-col gap-4 p-5" data-testid="account" data-state={status.state}>
        {status.url === null ? <ProjectForm onSubmit={(url, publishableKey) => act(() => client.call('account.configure', { project: { url, publishableKey } }))} />
          : status.email === null ? (
            <SignInForm
              url={status.url}
              onSignIn={(email, password) => act(() => client.call('account.signIn', { email, password }), 'Signed in')}
              onSignUp={(email, password) => act(() => client.call('account.signUp', { email, password }), 'Account made. If an e-mail arrives, confirm it and sign in')}
              onReset={(email) => act(() => client.call('account.resetPassword', { email }), 'If there is such an account, a code is on its way')}
              onFinishReset={(email, code, password) => act(() => client.call('account.finishReset', { email, code, password }), 'The new password is set')}
              onForget={() => act(() => client.call('account.configure', { project: null }))}
            />
          ) : (
            <>
              <Facts status={status} />
              <div className="flex gap-2">
                <Button variant="primary" onClick={() => act(() => client.call('sync.now', {}))} data-testid="sync-now">Sync now</Button>
                <Button onClick={() => act(() => client.call('account.signOut', {}))} data-testid="sign-out">Sign out</Button>
              </div>
            </>
          )}
        {status.error !== null && <p className="rounded-md bg-warn-soft px-3 py-2 text-sm text-warn" role="status">{status.error.message}. {status.error.hint}</p>}
      </div>
    </Card>
  );
}

function Facts({ status }: { readonly status: AccountStatus }): ReactNode {
  const limit = (bytes: number | null): string => (bytes === null ? 'no limit' : formatBytes(bytes));
  const rows: readonly (readonly [string, string])[] = [
    ['Cloud', status.url ?? '–'], ['Signed in as', status.email ?? '–'], ['This device', status.device.name],
    ['Still only here', status.pending === 0 ? 'nothing' : `${status.pending} ${status.pending === 1 ? 'change' : 'changes'}`],
    ['Used', `${status.usedBytes === null ? '–' : formatBytes(status.usedBytes)} of ${limit(status.plan.totalBytes)}, ${limit(status.plan.maxFileBytes)} for one archive`],
    ['Last sync', status.lastSyncAt === null ? 'not yet' : formatAgo(status.lastSyncAt, Date.now())],
  ];
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-8 gap-y-1">
      {rows.map(([name, value]) => <div key={name} className="contents"><dt className="text-ink-soft">{name}</dt><dd className="min-w-0 break-words">{value}</dd></div>)}
    </dl>
  );
}

function ProjectForm({ onSubmit }: { readonly onSubmit: (url: string, publishableKey: string) => void }): ReactNode {
  const [url, setUrl] = useState('');
  const [key, setKey] = useState('');
  const submit = (event: FormEvent): void => { event.preventDefault(); onSubmit(url.trim(), key.trim()); };
  return (
    <form onSubmit={submit} className="grid grid-cols-2 gap-4">
      <Field label="Address of the project">{(ids) => <TextInput {...ids} type="url" required placeholder="https://….supabase.co" value={url} onChange={(event) => setUrl(event.target.value)} data-testid="cloud-url" />}</Field>
      <Field label="Publishable key" hint="No secret: it only names the project.">{(ids) => <TextInput {...ids} required placeholder="sb_publishable_…" value={key} onChange={(event) => setKey(event.target.value)} data-testid="cloud-key" />}</Field>
      <div><Button type="submit" variant="primary" data-testid="cloud-configure">Use this project</Button></div>
    </form>
  );
}

function SignInForm({ url, onSignIn, onSignUp, onReset, onFinishReset, onForget }: {
  readonly url: string; readonly onSignIn: (email: string, password: string) => void; readonly onSignUp: (email: string, password: string) => void;
  readonly onReset: (email: string) => void; readonly onFinishReset: (email: string, code: string, password: string) => void; readonly onForget: () => void;
}): ReactNode {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  /** Null until a reset was asked for. */
  const [code, setCode] = useState<string | null>(null);
  const ready = email.includes('@') && password.length >= 6;
  const submit = (event: FormEvent): void => { event.preventDefault(); if (code === null) onSignIn(email.trim(), password); else onFinishReset(email.trim(), code.trim(), password); };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <p className="text-sm text-ink-soft">{url}</p>
      <div className="grid grid-cols-2 gap-4">
        <Field label="E-mail">{(ids) => <TextInput {...ids} type="email" autoComplete="username" required value={email} onChange={(event) => setEmail(event.target.value)} data-testid="account-email" />}</Field>
        <Field label={code === null ? 'Password' : 'New password'}>{(ids) => <TextInput {...ids} type="password" autoComplete="current-password" required minLength={6} value={password} onChange={(event) => setPassword(event.target.value)} data-testid="account-password" />}</Field>
        {code !== null && <Field label="Code" hint="It stands in the e-mail.">{(ids) => <TextInput {...ids} required autoComplete="one-time-code" value={code} onChange={(event) => setCode(event.target.value)} data-testid="account-code" />}</Field>}
      </div>
      <div className="flex gap-2">
        <Button type="submit" variant="primary" disabled={!ready || code === ''} data-testid="sign-in">{code === null ? 'Sign in' : 'Set the new password'}</Button>
        {code === null && <Button disabled={!ready} onClick={() => onSignUp(email.trim(), password)} data-testid="sign-up">Make an account</Button>}
        {code === null ? <Button variant="quiet" disabled={!email.includes('@')} onClick={() => { onReset(email.trim()); setCode(''); }}>Forgot the password</Button> : <Button variant="quiet" onClick={() => setCode(null)}>Back</Button>}
        <Button variant="quiet" onClick={onForget}>Use another project</Button>
      </div>
    </form>
  );
}
