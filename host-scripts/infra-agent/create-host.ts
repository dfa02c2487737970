import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { HOST_PROTOCOL_VERSION } from '#shared/host-protocol.ts';
import type { DriverName, Vm } from '#shared/host-protocol.ts';
import { AGENT_VERSION } from '../build-info.ts';
import type { HostPaths, HostRole } from '../paths.ts';
import { RouteFolder } from '../routes/traefik-route.ts';
import { DiskGuard } from '../disk/disk-guard.ts';
import { diskSpace } from '../disk/disk-space.ts';
import { boundLog } from '../drivers/bound-log.ts';
import { driverByRecord } from '../drivers/by-record.ts';
import { RecordStore } from '../records/record-store.ts';
import { firecrackerHost } from './firecracker-host.ts';
import { igniteHost } from './ignite-host.ts';
import { processHost } from './process-host.ts';
import { qemuHost } from './qemu-host.ts';
import type { Host, RequestContext } from './request-context.ts';
import type { HostParts } from './host-parts.ts';
import { hibernateIdle } from './idle.ts';
import { PresenceFolder } from './presence.ts';
import { hibernateVm, resumeVm } from './sleep-vm.ts';
import { startVm } from './start-vm.ts';

export type HostOptions = { readonly paths: HostPaths; readonly driver: DriverName; readonly isRoot: boolean; readonly role: HostRole; readonly background: boolean; readonly log: (text: string) => void };

function partsOf(options: HostOptions, routes: RouteFolder, name: DriverName): HostParts {
  switch (name) {
    case 'qemu': return qemuHost(options);
    case 'firecracker': return firecrackerHost(options);
    case 'ignite': return igniteHost(options, routes);
    case 'process': return processHost(options.paths);
  }
}

/** The one wiring point of infra-agent: a handler for every method of the host protocol. */
export function createHost(options: HostOptions): Host {
  const routes = new RouteFolder(options.paths.traefik);
  const parts = partsOf(options, routes, options.driver);
  const driver = driverByRecord({
    records: new RecordStore(options.paths.vms), chosen: parts.driver,
    make: (name) => partsOf({ ...options, background: false }, routes, name).driver,
  });
  const guard = parts.driver.abilities.pause === undefined ? null : new DiskGuard({ folder: options.paths.vms, pause: parts.driver.abilities.pause, now: () => Date.now(), log: options.log });
  const presence = new PresenceFolder(options.paths.state);
  /** Starts under way here, so that a stop of the same VM cancels them instead of racing with them. */
  const starting = new Map<string, { readonly controller: AbortController; readonly done: Promise<unknown> }>();

  async function underWay<T>(id: string, context: RequestContext, work: (request: RequestContext) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const done = work({ ...context, signal: AbortSignal.any([context.signal, controller.signal]) });
    const entry = { controller, done: done.catch(() => undefined) };
    // A second start of the same id fails by itself (VM_EXISTS) and must not hide the first.
    if (!starting.has(id)) starting.set(id, entry);
    try {
      return await done;
    } finally {
      if (starting.get(id) === entry) starting.delete(id);
    }
  }

  /** What is looked at again and again, by a desktop or by the host's own timer, is also kept from filling the disk. */
  async function boundedList(): Promise<readonly Vm[]> {
    const vms = await driver.list();
    await Promise.all(vms.flatMap(({ id }) => ['console.log', 'hypervisor.log'].map((name) => boundLog(join(options.paths.vms, id, name)))));
    return await guard?.look(vms) ?? vms;
  }

  return {
    hello: () => Promise.resolve({ v: HOST_PROTOCOL_VERSION, agentVersion: AGENT_VERSION, pid: process.pid }),
    facts: () => parts.facts(),
    doctor: () => parts.doctor(),
    provision: (params, context) => parts.provision(params, context),
    unprovision: (params, context) => parts.unprovision(params, context),
    start: (params, context) => underWay(params.id, context, (request) => startVm(driver, routes, params, request)),
    hibernate: ({ id }, context) => hibernateVm(driver, routes, id, context),
    resume: ({ id, deadlineMs }, context) => underWay(id, context, (request) => resumeVm(driver, routes, { id, deadlineMs }, request)),
    idle: (params, context) => hibernateIdle({
      list: boundedList, presence, params, signal: context.signal, now: () => Date.now(),
      hibernate: async (id) => (await hibernateVm(driver, routes, id, context)).vm,
    }),
    async stop({ id }) {
      const under = starting.get(id);
      under?.controller.abort(new VesselError('CANCELLED', `${id} was stopped while it started`));
      await under?.done;
      const existed = await driver.destroy(id);
      await routes.remove(id);
      return { status: 'success', existed: existed || under !== undefined };
    },
    standby: (params) => parts.standby?.(params) ?? Promise.resolve({ state: 'off' }),
    inspect: ({ id }) => driver.inspect(id),
    // Core asks at its start and after each break of the line: then the routes are made to agree as well.
    list: async (_params, { log }) => {
      const vms = await routes.reconcile(() => driver.list()).catch((error: unknown) => {
        log('warn', `the routes could not be repaired: ${VesselError.from(error).message}`);
        return driver.list();
      });
      return { vms: [...guard?.explain(vms) ?? vms], disk: await diskSpace(options.paths.vms) };
    },
    logs: async ({ id, lines }) => ({ lines: [...await driver.logs(id, lines)] }),
    watchVms: boundedList,
    close: () => parts.close(),
  };
}
