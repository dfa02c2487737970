import { type ReactNode, useCallback, useEffect } from 'react';
import type { Host } from '#shared/contract.ts';
import { useClient } from '../../state/client-context.ts';
import { useStore } from '../../state/store.ts';
import { useLogin } from '../../state/use-login.ts';
import { LoginDialog } from './login-dialog.tsx';

/** Connects to a known host again, with a person there to answer its questions. */
export function ConnectDialog({ hostId, onClose }: { readonly hostId: string; readonly onClose: () => void }): ReactNode {
  const client = useClient();
  const { flow, login } = useLogin();
  const target = useStore((state) => state.hosts[hostId]?.ssh?.target ?? hostId);
  const start = useCallback((): void => flow.start((options, signal) => client.call('hosts.connect', { hostId, ...options }, { signal })), [client, flow, hostId]);
  useEffect(() => start(), [start]);
  const onDone = (host: Host): void => {
    const { apply, toast } = useStore.getState();
    apply({ kind: 'host', host });
    toast('ok', `Connected to ${host.name}`);
    onClose();
  };
  return <LoginDialog flow={flow} login={login} target={target} idle={null} onRetry={start} onDone={onDone} onClose={onClose} />;
}
