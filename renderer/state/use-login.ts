import { useEffect, useState, useSyncExternalStore } from 'react';
import { useClient } from './client-context.ts';
import { LoginFlow, type LoginState } from './login-flow.ts';

/** One login of this component, and how it stands. */
export function useLogin(): { readonly flow: LoginFlow; readonly login: LoginState } {
  const client = useClient();
  const [flow] = useState(() => new LoginFlow(client));
  // Whoever leaves in the middle (the browser's Back) must not leave a login behind that asks nobody.
  useEffect(() => () => flow.cancel(), [flow]);
  return { flow, login: useSyncExternalStore(flow.subscribe, flow.state, flow.state) };
}
