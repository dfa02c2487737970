import { VesselError } from '#shared/errors.ts';
import type { HostResult } from '#shared/host-protocol.ts';
import type { DriverWithAbilities, HibernateAbility } from '../drivers/driver.ts';
import { measuredContext } from '../drivers/work-context.ts';
import type { MeasuredContext } from '../drivers/work-context.ts';
import type { RouteFolder } from '../routes/traefik-route.ts';
import type { RequestContext } from './request-context.ts';

/** How far each way is at its stages; most of the time goes into the memory. */
const PROGRESS_AT: Readonly<Record<string, number>> = {
  'hibernate.keep': 0, 'hibernate.stop': 0.1, 'hibernate.memory': 0.15, 'hibernate.seal': 0.8, 'hibernate.commit': 0.9, 'hibernate.end': 0.95,
  'resume.launch': 0, 'resume.restore': 0.1, 'resume.commit': 0.7, 'resume.go': 0.75, 'resume.wake': 0.8, 'resume.done': 0.95, route: 0.98,
};

function abilityOf(driver: DriverWithAbilities): HibernateAbility {
  const { hibernate } = driver.abilities;
  if (hibernate === null) throw new VesselError('BAD_REQUEST', `the driver ${driver.name} cannot put environments to sleep`, { hint: 'Save & Exit the environment instead.' });
  return hibernate;
}

const measured = (request: RequestContext): MeasuredContext => measuredContext({ signal: request.signal, log: request.log, report: (stage) => request.stage(stage, PROGRESS_AT[stage] ?? 0) });

/** Puts a VM to sleep; nothing is routed to it any more. */
export async function hibernateVm(driver: DriverWithAbilities, routes: RouteFolder, id: string, request: RequestContext): Promise<HostResult<'hibernate'>> {
  const context = measured(request);
  const vm = await abilityOf(driver).hibernate(id, context);
  await routes.remove(id);
  return { status: 'success', vm, timings: [...context.timings()] };
}

/** Wakes a VM and routes to its new address. */
export async function resumeVm(driver: DriverWithAbilities, routes: RouteFolder, given: { readonly id: string; readonly deadlineMs: number }, request: RequestContext): Promise<HostResult<'resume'>> {
  const context = measured(request);
  const vm = await abilityOf(driver).resume(given.id, given.deadlineMs, context);
  if (vm.address === null) throw new VesselError('INTERNAL', 'a resumed VM has no address');
  context.stage('route');
  await routes.write({ id: vm.id, ...vm.address });
  return { status: 'success', vm, ip: vm.address.host, url: `http://${vm.id}.localhost`, timings: [...context.timings()] };
}
