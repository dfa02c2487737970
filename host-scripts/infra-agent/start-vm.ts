import { VesselError } from '#shared/errors.ts';
import type { StartResult } from '#shared/host-protocol.ts';
import type { VmDriver, VmSpec } from '../drivers/driver.ts';
import { measuredContext } from '../drivers/work-context.ts';
import type { RouteFolder } from '../routes/traefik-route.ts';
import type { RequestContext } from './request-context.ts';

/** How far a start is when it enters a stage; the longest wait is the boot of a cold start. */
const PROGRESS_AT: Readonly<Record<string, number>> = {
  record: 0, disk: 0.05, network: 0.08, hypervisor: 0.1, restore: 0.35, resume: 0.5, boot: 0.15, identity: 0.7, ready: 0.8, route: 0.98,
};
const FAILURE_LOG_LINES = 30;

/** The failure with what the machine said last, when the error does not carry that yet. */
async function withLogTail(driver: VmDriver, id: string, error: VesselError): Promise<VesselError> {
  if (error.logTail.length > 0 || error.code === 'CANCELLED') return error;
  const logTail = await driver.logs(id, FAILURE_LOG_LINES).catch((reason: unknown) => [`(no log: ${VesselError.from(reason).message})`]);
  return VesselError.fromShape({ ...error.toShape(), logTail: [...logTail] });
}

/**
 * Makes and starts a VM and writes its route. When it fails or is cancelled nothing of the VM is left, and the error carries the
 * end of the machine's log.
 */
export async function startVm(driver: VmDriver, routes: RouteFolder, spec: VmSpec, request: RequestContext): Promise<StartResult> {
  const context = measuredContext({ signal: request.signal, log: request.log, report: (stage) => request.stage(stage, PROGRESS_AT[stage] ?? 0) });
  // A create that throws has left nothing, or the id belongs to another VM: only what we made is removed.
  await driver.create(spec, context);
  try {
    const vm = await driver.start(spec, context);
    if (vm.address === null) throw new VesselError('INTERNAL', 'a started VM has no address');
    context.stage('route');
    await routes.write({ id: vm.id, ...vm.address });
    return { status: 'success', vm, ip: vm.address.host, url: `http://${vm.id}.localhost`, timings: [...context.timings()] };
  } catch (error) {
    const failure = await withLogTail(driver, spec.id, VesselError.from(error));
    try {
      await driver.destroy(spec.id);
      await routes.remove(spec.id);
    } catch (cleanup) {
      request.log('error', `what was left of ${spec.id} could not be removed: ${VesselError.from(cleanup).message}`);
    }
    throw failure;
  }
}
