import { VesselError } from '#shared/errors.ts';
import { HOST_PROTOCOL_VERSION } from '#shared/host-protocol.ts';
import { AGENT_VERSION } from '../build-info.ts';
import type { HostPaths, HostRole } from '../paths.ts';
import { RouteFolder } from '../routes/traefik-route.ts';
import { processHost } from './process-host.ts';
import { qemuHost } from './qemu-host.ts';
import type { Host } from './request-context.ts';
import type { HostParts } from './host-parts.ts';
import { startVm } from './start-vm.ts';

export type HostOptions = { readonly paths: HostPaths; readonly driver: 'qemu' | 'process'; readonly isRoot: boolean; readonly role: HostRole; readonly background: boolean; readonly log: (text: string) => void };

/** The one wiring point of infra-agent: a handler for every method of the host protocol. */
export function createHost(options: HostOptions): Host {
  const parts: HostParts = options.driver === 'process' ? processHost(options.paths) : qemuHost(options);
  const { driver } = parts;
  const routes = new RouteFolder(options.paths.traefik);
  /** Starts under way here, so that a stop of the same VM cancels them instead of racing with them. */
  const starting = new Map<string, { readonly controller: AbortController; readonly done: Promise<unknown> }>();

  return {
    hello: () => Promise.resolve({ v: HOST_PROTOCOL_VERSION, agentVersion: AGENT_VERSION, pid: process.pid }),
    facts: () => parts.facts(),
    doctor: () => parts.doctor(),
    provision: (params, context) => parts.provision(params, context),
    unprovision: (params, context) => parts.unprovision(params, context),
    async start(params, context) {
      const controller = new AbortController();
      const signal = AbortSignal.any([context.signal, controller.signal]);
      const done = startVm(driver, routes, params, { ...context, signal });
      const entry = { controller, done: done.catch(() => undefined) };
      // A second start of the same id fails by itself (VM_EXISTS) and must not hide the first.
      if (!starting.has(params.id)) starting.set(params.id, entry);
      try {
        return await done;
      } finally {
        if (starting.get(params.id) === entry) starting.delete(params.id);
      }
    },
    async stop({ id }) {
      const under = starting.get(id);
      under?.controller.abort(new VesselError('CANCELLED', `${id} was stopped while it started`));
      await under?.done;
      const existed = await driver.destroy(id);
      await routes.remove(id);
      return { status: 'success', existed: existed || under !== undefined };
    },
    inspect: ({ id }) => driver.inspect(id),
    list: async () => ({ vms: [...await driver.list()] }),
    logs: async ({ id, lines }) => ({ lines: [...await driver.logs(id, lines)] }),
    watchVms: () => driver.list(),
    close: () => parts.close(),
  };
}
