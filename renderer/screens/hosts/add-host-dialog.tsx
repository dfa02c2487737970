import { type FormEvent, type ReactNode, useId, useState } from 'react';
import type { Host } from '#shared/contract.ts';
import { Button } from '../../design/button.tsx';
import { Field, TextInput } from '../../design/field.tsx';
import { useClient } from '../../state/client-context.ts';
import { navigate } from '../../state/navigate.ts';
import { useStore } from '../../state/store.ts';
import { useLogin } from '../../state/use-login.ts';
import { LoginDialog } from './login-dialog.tsx';

/** From an address to a host that Vessel knows: the form, its key, its questions, what stands in the way. */
export function AddHostDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const form = useId();
  const { flow, login } = useLogin();
  const [target, setTarget] = useState('');
  const [name, setName] = useState('');
  const [identityFile, setIdentityFile] = useState('');
  const given = (text: string): string | undefined => (text.trim() === '' ? undefined : text.trim());
  const start = (): void => flow.start((options, signal) => client.call('hosts.add', { target: target.trim(), name: given(name), identityFile: given(identityFile), ...options }, { signal }));
  const onSubmit = (event: FormEvent): void => { event.preventDefault(); start(); };
  const onDone = (host: Host): void => {
    const { apply, toast } = useStore.getState();
    apply({ kind: 'host', host });
    toast('ok', `${host.name} was added`, host.status === 'ready' ? '' : 'Set it up, and projects can run there.');
    navigate({ screen: 'host', hostId: host.id });
  };
  return (
    <LoginDialog
      flow={flow} login={login} target={target.trim()} onRetry={start} onDone={onDone} onClose={onClose}
      idle={{
        title: 'Add a host', description: 'A Linux machine that you reach over SSH and that can run virtual machines.',
        footer: <><Button onClick={onClose}>Cancel</Button><Button type="submit" form={form} variant="primary" disabled={target.trim() === ''} data-testid="add-host-connect">Connect</Button></>,
        body: (
          <form id={form} onSubmit={onSubmit} className="flex flex-col gap-5" data-testid="add-host-form">
            <Field label="Address" hint={<>As you would give it to <code className="font-mono">ssh</code>: user@host, user@host:2222, or an alias of ~/.ssh/config.</>}>
              {(ids) => <TextInput {...ids} data-autofocus="" autoFocus required maxLength={300} className="font-mono" placeholder="ada@build.example.org" value={target} onChange={(event) => setTarget(event.target.value)} data-testid="host-target" />}
            </Field>
            <Field label="Name (optional)" hint="Otherwise the name of the machine.">
              {(ids) => <TextInput {...ids} maxLength={80} value={name} onChange={(event) => setName(event.target.value)} data-testid="host-name" />}
            </Field>
            <Field label="Private key (optional)" hint="The full path of a key file. Otherwise your SSH agent, your configuration and the usual files decide, as with ssh.">
              {(ids) => <TextInput {...ids} className="font-mono" placeholder="/home/ada/.ssh/id_ed25519" value={identityFile} onChange={(event) => setIdentityFile(event.target.value)} data-testid="host-identity" />}
            </Field>
          </form>
        ),
      }}
    />
  );
}
