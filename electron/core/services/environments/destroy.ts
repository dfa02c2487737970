import { VesselError } from '#shared/errors.ts';
import type { HostLink } from '../../ports/host-link.ts';
import type { EnvironmentContext } from './environment-context.ts';

/** More deaths of infra-agent in a row are no accident. */
const STOP_ATTEMPTS = 3;

/** Ends a VM whose content is safe or given up. After the state `destroying` there is no way back, not even after a crash. */
export async function destroyVm(context: EnvironmentContext, projectId: string, signal: AbortSignal | null): Promise<void> {
  const { hostId } = context.records.move(projectId, 'destroying');
  const link = context.hosts.link(hostId);
  context.live.remove(projectId);
  context.runtime.fault('destroy.before-stop');
  await stopVm(link, projectId, signal);
  context.runtime.fault('destroy.after-stop');
  context.records.move(projectId, 'destroyed', { error: null, dirty: false, startedAt: null });
}

/** Stopping may be repeated, and an infra-agent that died in the middle is started anew by the next request. */
async function stopVm(link: HostLink, projectId: string, signal: AbortSignal | null): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await link.request('stop', { id: projectId }, signal === null ? {} : { signal });
      return;
    } catch (error) {
      if (VesselError.from(error).code !== 'AGENT_LOST' || attempt >= STOP_ATTEMPTS) throw error;
    }
  }
}
