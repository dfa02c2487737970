import { useState } from 'react';
import { VesselError } from '#shared/errors.ts';
import type { Metrics } from '../../lib/room.ts';
import { useClient } from '../../state/client-context.ts';
import { usePoll } from '../../state/use-poll.ts';

/** Memory runs out in seconds, and people should hear of it before; each question wakes the guest, though. */
const CLOSED_MS = 20_000;
const OPEN_MS = 3_000;

/** Memory and disk of an environment; null until the guest has answered. */
export function useRoom(projectId: string, watched: boolean): Metrics | null {
  const client = useClient();
  const [metrics, setMetrics] = useState<Metrics | null>(null);
  const ask = async (signal: AbortSignal): Promise<void> => {
    try {
      setMetrics(await client.call('environments.metrics', { projectId }, { signal }));
    } catch (error) {
      // A guest that is slow to answer is no news; the state stream reports an environment that is gone.
      if (VesselError.from(error).code === 'INTERNAL') throw error;
    }
  };
  usePoll(ask, watched ? OPEN_MS : CLOSED_MS, true);
  return metrics;
}
