import { useState, useSyncExternalStore } from 'react';
import { useClient } from './client-context.ts';
import { LoginFlow, type LoginState } from './login-flow.ts';

/** One login of this component, and how it stands. */
export function useLogin(): { readonly flow: LoginFlow; readonly login: LoginState } {
  const client = useClient();
  const [flow] = useState(() => new LoginFlow(client));
  return { flow, login: useSyncExternalStore(flow.subscribe, flow.state, flow.state) };
}
