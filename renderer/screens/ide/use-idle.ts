import { useState } from 'react';
import type { CallOutput } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { useClient } from '../../state/client-context.ts';
import { usePoll } from '../../state/use-poll.ts';

type Activity = CallOutput<'environments.activity'>;

/** The idle clock moves by minutes; while its panel is open people watch it. */
const CLOSED_MS = 30_000;
const OPEN_MS = 5_000;

/** When the environment would end by itself, and what keeps it alive; null until the guest has answered. */
export function useIdle(projectId: string, watched: boolean): { readonly activity: Activity | null; readonly keepAlive: () => Promise<void> } {
  const client = useClient();
  const [activity, setActivity] = useState<Activity | null>(null);
  const ask = async (signal?: AbortSignal): Promise<void> => {
    try {
      setActivity(await client.call('environments.activity', { projectId }, signal === undefined ? {} : { signal }));
    } catch (error) {
      // A guest that is slow to answer is no news; the state stream reports an environment that is gone.
      if (VesselError.from(error).code === 'INTERNAL') throw error;
    }
  };
  usePoll(ask, watched ? OPEN_MS : CLOSED_MS, true);
  /** A command that does nothing counts as activity in the guest, as any command does. */
  const keepAlive = async (): Promise<void> => {
    for await (const item of client.stream('exec.run', { projectId, argv: ['true'] })) if (item.kind === 'exit') break;
    await ask();
  };
  return { activity, keepAlive };
}
