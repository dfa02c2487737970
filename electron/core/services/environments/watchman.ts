import { VesselError } from '#shared/errors.ts';
import type { GuestActivity } from '#shared/guest-protocol.ts';
import { isIdle, judgeIdle, type IdleVerdict } from '../../domain/idle.ts';
import { audit } from '../context.ts';
import { closeEnvironment } from './close.ts';
import type { EnvironmentContext } from './environment-context.ts';
import type { LiveEnvironment } from './live-environments.ts';
import { saveEnvironment } from './save.ts';

/** After a failed idle stop people get this long before the next try. */
const IDLE_RETRY_MS = 10 * 60_000;
const ACTIVITY_DEADLINE_MS = 15_000;

/** Looks after the running environments: what changed, when to save, when to stop. Called every half minute. */
export async function watchEnvironments(context: EnvironmentContext): Promise<void> {
  await collectSleepers(context);
  await Promise.all(context.live.all().map(async (live) => {
    try {
      await watchOne(context, live);
    } catch (error) {
      // A guest that does not answer now may answer at the next round; the host says whether it still lives.
      context.runtime.log(`watch ${live.projectId}: ${VesselError.from(error).message}`);
    }
  }));
}

/** What its host put to sleep while this desktop was away is saved once, and sleeps on. After a failure people decide. */
async function collectSleepers(context: EnvironmentContext): Promise<void> {
  const sleepers = context.records.list().filter(({ state, dirty, error }) => state === 'hibernated' && dirty && error === null);
  for (const { projectId, hostId } of sleepers) {
    const isBusy = (): boolean => context.operations.active(projectId, null) !== null;
    // Somebody may open it while its host is asked.
    if (isBusy() || !await sleepsOn(context, projectId, hostId) || isBusy()) continue;
    const ended = await saveEnvironment(context, projectId, 'autosave').done;
    if (ended.state === 'failed') audit(context, { kind: 'environment.collect-failed', projectId, hostId, operationId: ended.id, text: `A sleeping environment could not be saved: ${ended.error?.message ?? ''}` });
  }
}

/** Asked first, so that a host that is out of reach makes no failed operation every half minute. */
async function sleepsOn(context: EnvironmentContext, projectId: string, hostId: string): Promise<boolean> {
  try {
    return (await context.hosts.link(hostId).request('inspect', { id: projectId })).state === 'hibernated';
  } catch (error) {
    context.runtime.log(`collect ${projectId}: ${VesselError.from(error).message}`);
    return false;
  }
}

async function watchOne(context: EnvironmentContext, live: LiveEnvironment): Promise<void> {
  const { projectId } = live;
  if (context.records.find(projectId)?.state !== 'running') return;
  const line = context.feed.connection(live.link.hostId);
  if (line !== null && line.state !== 'connected') return;
  const activity = await live.client.activity({ signal: AbortSignal.timeout(ACTIVITY_DEADLINE_MS) });
  const record = context.records.find(projectId);
  if (record?.state !== 'running' || context.live.find(projectId) !== live) return;
  const { settings, name } = context.records.project(projectId);
  const now = context.runtime.now();
  const verdict = verdictOf(context, live, activity);
  const dirty = activity.changeCounter !== record.savedCounter;
  if (dirty !== record.dirty || verdict.lastActivityAt - (record.lastActivityAt ?? 0) > 30_000) context.records.patch(projectId, { dirty, lastActivityAt: verdict.lastActivityAt });
  if (context.operations.active(projectId, null) !== null) return;
  if (isIdle(verdict, now) && now >= live.idleRetryAt) {
    live.idleRetryAt = now + IDLE_RETRY_MS;
    audit(context, { kind: 'environment.idle', projectId, hostId: live.link.hostId, text: `${name} was idle for ${settings.idleMinutes} minutes: saving and ending it` });
    const ended = await closeEnvironment(context, projectId, { reason: 'idle', keepRunning: false }).done;
    if (ended.state === 'failed') audit(context, { kind: 'environment.idle-kept', projectId, operationId: ended.id, text: `The idle environment is kept, because its save failed: ${ended.error?.message ?? ''}` });
    return;
  }
  if (dirty && settings.autosaveMinutes > 0 && now - live.lastSaveAt >= settings.autosaveMinutes * 60_000) await saveEnvironment(context, projectId, 'autosave').done;
}

/** The idle clock of a running environment. */
export function verdictOf(context: EnvironmentContext, live: LiveEnvironment, activity: GuestActivity): IdleVerdict {
  const record = context.records.find(live.projectId);
  const { settings } = context.records.project(live.projectId);
  const now = context.runtime.now();
  return judgeIdle({ activity, gatewayAt: live.gatewayAt, startedAt: record?.startedAt ?? now, idleMinutes: settings.idleMinutes, now });
}
