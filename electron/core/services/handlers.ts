import { previewExclude } from '#shared/exclude/preview.ts';
import type { CallContext, CallName, CallOutput, Handlers } from '#shared/contract.ts';
import { allCalls } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { guestLines } from '#shared/guest-text.ts';
import type { Cloud } from './cloud/cloud.ts';
import { cloudHandlers } from './cloud/handlers.ts';
import type { ServiceContext } from './context.ts';
import type { Environments } from './environments/environments.ts';
import { verdictOf } from './environments/watchman.ts';
import type { History } from './history.ts';
import type { Imports } from './imports.ts';
import type { ConnectOptions } from '../ports/remote-host.ts';
import type { Offline } from './offline.ts';
import type { Projects } from './projects.ts';
import type { Prompts } from './prompts.ts';
import type { SshHosts } from './ssh-hosts.ts';

export type AppFacts = { readonly version: string; readonly pid: number; readonly home: string; readonly cache: string; readonly secretsSealed: boolean; readonly node: string; readonly uptimeMs: () => number; readonly quit: () => void };
export type Services = { readonly context: ServiceContext; readonly app: AppFacts; readonly environments: Environments; readonly projects: Projects; readonly imports: Imports; readonly history: History; readonly sshHosts: SshHosts; readonly prompts: Prompts; readonly cloud: Cloud; readonly offline: Offline };

/** Every call and stream of the contract; a missing one does not compile. */
export function makeHandlers(services: Services): Handlers {
  const { context, app, environments, projects, imports, history, sshHosts, prompts, cloud, offline } = services;
  const { store, operations, feed } = context;
  const { hosts, live } = environments.context;
  const started = ({ operationId }: { readonly operationId: string }): { operationId: string } => ({ operationId });
  const ok = { ok: true } as const;
  const connecting = (scope: string | undefined, acceptHostKeys: readonly string[], signal: AbortSignal): ConnectOptions => ({ prompter: scope === undefined ? null : prompts.prompter(scope, signal), acceptHostKeys, signal });

  const offlineHandlers = offline.handlers();
  const calls: Handlers['calls'] = {
    ...cloudHandlers(cloud, history),
    ...offlineHandlers.calls,
    'app.info': async () => ({
      version: app.version, pid: app.pid, home: app.home, cache: app.cache, baseUrl: context.gateway().baseUrl, gatewayPort: context.gateway().port,
      node: app.node, uptimeMs: app.uptimeMs(), runningEnvironments: live.size, secretsSealed: app.secretsSealed,
    }),
    'app.url': async () => ({ url: context.gateway().appUrl() }),
    'app.quit': async ({ force }) => {
      const busy = store.operations.running();
      if (busy.length > 0 && !force) throw new VesselError('BUSY', `${busy.length} operations are still working: ${busy.map((operation) => operation.title).join(', ')}`, { hint: 'Wait for them, or quit with force: they can be retried.' });
      // They would go on, but nobody would save them or stop them when idle.
      const open = store.environments.list().filter((environment) => environment.state === 'running');
      if (open.length > 0 && !force) throw new VesselError('BUSY', `${open.length} ${open.length === 1 ? 'environment is' : 'environments are'} running: ${open.map((environment) => environment.projectId).join(', ')}`, { hint: 'Save & Exit them first, or quit with force: they keep running without autosave, and Vessel finds them at its next start.' });
      app.quit();
      return ok;
    },
    'settings.get': async () => store.settings.get(),
    'settings.set': async (patch) => {
      store.settings.put({ ...store.settings.get(), ...Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) });
      feed.settings();
      environments.settingsChanged();
      return store.settings.get();
    },

    'projects.list': async ({ includeDeleted }) => ({ projects: [...projects.list(includeDeleted)] }),
    'projects.get': async ({ projectId }) => projects.get(projectId),
    'projects.create': (input) => projects.create(input),
    'projects.import': ({ path, name, hostId, topFolder }) => imports.fromPath(path, name, hostId, topFolder),
    'projects.update': ({ projectId, name, settings }) => projects.update(projectId, { name, settings }),
    'projects.move': async ({ projectId, hostId }) => { await environments.move(projectId, hostId); return projects.get(projectId); },
    'projects.delete': async ({ projectId }) => { await environments.clearRemains(projectId); return projects.delete(projectId); },
    'projects.undelete': async ({ projectId }) => projects.undelete(projectId),

    'environments.open': async ({ projectId, hostId }, { signal }) => {
      if (hostId !== undefined && hostId !== projects.record(projectId).hostId) {
        await hosts.requireReady(hostId, signal);
        await environments.move(projectId, hostId);
      }
      offline.drafts.saveBeforeOpen(projectId);
      return started(environments.open(projectId));
    },
    'environments.save': async ({ projectId }) => { await environments.whenKnown(projectId); return started(environments.save(projectId)); },
    'environments.close': async ({ projectId, keepRunning }) => { await environments.whenKnown(projectId); return started(environments.close(projectId, keepRunning)); },
    'environments.discard': async ({ projectId, confirm }) => { await environments.whenKnown(projectId); return started(environments.discard(projectId, confirm)); },
    'environments.activity': async ({ projectId }, { signal }) => {
      await environments.whenKnown(projectId);
      const running = live.get(projectId);
      const activity = await running.client.activity({ signal });
      const { idleStopAt, reasons } = verdictOf(environments.context, running, activity);
      return { ...activity, idleStopAt, reasons: [...reasons] };
    },
    'environments.metrics': async ({ projectId }, { signal }) => { await environments.whenKnown(projectId); return live.get(projectId).client.metrics({ signal }); },
    'environments.ports': async ({ projectId }, { signal }) => {
      await environments.whenKnown(projectId);
      const ports = await live.get(projectId).client.ports({ signal });
      const unique = new Map(ports.map((found) => [found.port, found.process]));
      return { ports: [...unique].map(([port, process]) => ({ port, process, url: context.gateway().urlFor({ projectId, port, frame: false }).url })) };
    },
    'environments.url': async ({ projectId, port, frame, gate }) => {
      projects.record(projectId);
      return context.gateway().urlFor({ projectId, port, frame, gate });
    },
    'environments.ahead': async ({ projectId }) => {
      projects.record(projectId);
      return { page: await context.gateway().aheadFor(projectId) };
    },
    'environments.logs': async ({ projectId, lines }, { signal }) => {
      const found = await hosts.link(projects.record(projectId).environment?.hostId ?? projects.record(projectId).hostId).request('logs', { id: projectId, lines }, { signal });
      return { lines: guestLines(found.lines) };
    },
    'environments.orphans': async () => ({ orphans: [...feed.orphans] }),
    'environments.rescue': async ({ hostId, vmId }) => { await environments.ensureReconciled(hostId); return started(environments.rescue(hostId, vmId)); },

    'history.list': async ({ projectId }) => { const { revisions, totalBytes } = history.list(projectId); return { revisions: [...revisions], totalBytes }; },
    'history.restore': async ({ projectId, rev }) => started(history.restore(projectId, rev)),
    'history.export': ({ projectId, rev, path }, { signal }) => history.exportTo(projectId, rev, path, signal),
    'history.prune': async ({ projectId, keepRevisions, keepDays }) => {
      const { removed, freedBytes } = await history.prune(projectId, { ...(keepRevisions === undefined ? {} : { keepRevisions }), ...(keepDays === undefined ? {} : { keepDays }) });
      return { removed: [...removed], freedBytes };
    },
    'history.verify': ({ projectId, rev }) => history.verify(projectId, rev),
    'exclude.preview': async ({ exclude, paths }) => ({ leftOut: [...previewExclude(paths, exclude).leftOut] }),

    'hosts.list': async () => ({ hosts: [...hosts.list()] }),
    'hosts.add': ({ target, name, identityFile, acceptHostKeys, promptScope }, { signal }) => sshHosts.add({ target, name, identityFile }, connecting(promptScope, acceptHostKeys, signal)),
    'hosts.remove': async ({ hostId }) => { await sshHosts.remove(hostId); return ok; },
    'hosts.connect': ({ hostId, acceptHostKeys, promptScope }, { signal }) => sshHosts.connect(hostId, connecting(promptScope, acceptHostKeys, signal)),
    'hosts.refresh': ({ hostId }, { signal }) => hosts.refresh(hostId, signal),
    // Who must be asked is asked here, where somebody waits: an operation asks nobody.
    'hosts.plan': async ({ hostId, drivers, promptScope }, { signal }) => { await sshHosts.authorize(hostId, connecting(promptScope, [], signal)); return hosts.plan(hostId, drivers, signal); },
    'hosts.provision': async ({ hostId, drivers, promptScope }, { signal }) => { await sshHosts.authorize(hostId, connecting(promptScope, [], signal)); return started(hosts.provision(hostId, drivers)); },
    'hosts.unprovision': async ({ hostId, promptScope }, { signal }) => { await sshHosts.authorize(hostId, connecting(promptScope, [], signal)); return started(hosts.unprovision(hostId)); },
    'hosts.doctor': ({ hostId }, { signal }) => hosts.doctor(hostId, signal),

    'prompts.answer': async ({ promptId, answers, remember }) => { prompts.answer(promptId, answers, remember); return ok; },

    'operations.list': async ({ projectId, hostId, limit }) => ({ operations: [...operations.list({ projectId, hostId, limit })] }),
    'operations.get': async ({ operationId }) => operations.get(operationId),
    'operations.log': async ({ operationId, afterSeq }) => ({ lines: [...operations.log(operationId, afterSeq)] }),
    'operations.cancel': async ({ operationId }) => operations.cancel(operationId),
    'operations.retry': async ({ operationId }, callContext) => {
      const { state, title } = operations.get(operationId);
      if (state === 'running') throw new VesselError('BUSY', `"${title}" is still running`, { details: { operationId } });
      const request = operations.request(operationId);
      if (request === null || !(request.call in calls)) throw new VesselError('BAD_REQUEST', `"${title}" cannot be repeated from here`, { hint: 'Start it again where you started it first.' });
      return started(await again(calls, request.call as CallName, request.input, callContext) as { operationId: string });
    },
    'events.list': async (filter) => ({ events: [...store.events.list(filter)] }),

    'exec.input': async ({ execId, data }) => { await environments.execs.get(execId).write(Buffer.from(data, 'base64')); return ok; },
    'exec.endInput': async ({ execId }) => { environments.execs.get(execId).endInput(); return ok; },
    'exec.signal': async ({ execId, signal }) => { environments.execs.get(execId).signal(signal); return ok; },
    'exec.resize': async ({ execId, cols, rows }) => { environments.execs.get(execId).resize(cols, rows); return ok; },
  };

  return {
    calls,
    streams: {
      ...offlineHandlers.streams,
      'prompts.watch': ({ scope }, { signal }) => prompts.watch(scope, signal),
      'state.watch': (_input, { signal }) => feed.watch(signal),
      'operations.watch': ({ operationId, afterSeq }, { signal }) => operations.watch(operationId, afterSeq, signal),
      'exec.run': ({ projectId, ...request }, { signal }) => environments.exec(projectId, request, signal),
    },
  };
}

/** Calls a handler by the name a retry remembered; the input is parsed anew, because an older Vessel may have written it. */
function again<N extends CallName>(calls: Handlers['calls'], name: N, input: unknown, callContext: CallContext): Promise<CallOutput<N>> {
  const handler = calls[name] as (parsed: unknown, context: CallContext) => Promise<CallOutput<N>>;
  return handler(allCalls[name].input.parse(input), callContext);
}
