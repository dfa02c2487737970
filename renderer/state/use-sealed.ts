import { useClient } from './client-context.ts';
import { useCall } from './use-call.ts';

/** Whether secrets that are to be kept are sealed by the system's keychain; false until Vessel has said so. */
export function useSealed(): boolean {
  const client = useClient();
  const { loaded } = useCall((signal) => client.call('app.info', {}, { signal }), 'sealed');
  return loaded.value?.secretsSealed === true;
}
