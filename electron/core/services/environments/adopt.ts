import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import type { HostLink } from '../../ports/host-link.ts';
import type { EnvironmentRecord } from '../../ports/store.ts';
import { audit } from '../context.ts';
import type { EnvironmentContext } from './environment-context.ts';
import type { LiveEnvironment } from './live-environments.ts';

/** Takes a VM that ran on without us back into service. */
export async function adopt(context: EnvironmentContext, link: HostLink, record: EnvironmentRecord, vm: Vm): Promise<void> {
  context.live.openRoute(await takeIn(context, link, record, vm));
}

/** The same with the route still closed. */
export async function takeIn(context: EnvironmentContext, link: HostLink, record: EnvironmentRecord, vm: Vm): Promise<LiveEnvironment> {
  const { projectId } = record;
  const known = context.live.find(projectId);
  if (known !== null && known.vm.token === vm.token && known.ide !== null) return known;
  const live = context.live.add(projectId, link, vm, null);
  const health = await live.client.health();
  const ready = context.live.add(projectId, link, vm, health.ide);
  const interrupted = record.state === 'stopping' ? new VesselError('INTERRUPTED', 'Vessel was stopped during Save & Exit', { hint: 'Press Save & Exit again: the environment was kept.' }).toShape() : null;
  const { changeCounter, hold } = await ready.client.activity();
  // A Save & Exit that was cut off may have left everything in there held still.
  // When it does not let go now, its own clock does.
  if (hold !== undefined) await ready.client.release().catch((error: unknown) => context.runtime.log(`release ${projectId}: ${VesselError.from(error).message}`));
  if (record.state === 'running') context.records.patch(projectId, { dirty: changeCounter !== record.savedCounter, error: null });
  else context.records.move(projectId, 'running', { dirty: changeCounter !== record.savedCounter, error: interrupted });
  audit(context, { kind: 'environment.adopted', projectId, hostId: link.hostId, text: 'Found running and adopted again' });
  return ready;
}
