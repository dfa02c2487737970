import { createContext, useContext } from 'react';
import type { Client } from '#shared/contract.ts';

export const ClientContext = createContext<Client | null>(null);

/** The client of this page. Throws when used outside of the app: a defect, not a state. */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client === null) throw new Error('useClient outside of ClientContext');
  return client;
}
