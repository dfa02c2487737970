import { chownSync, mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import type { GuestHealth } from '#shared/guest-protocol.ts';
import type { AgentConfig } from './config.ts';
import { serveExec } from './exec/session.ts';
import { deleteFile, getFile, putFile } from './files/calls.ts';
import { ActivityLog } from './guest/activity.ts';
import { GuestEnvironment } from './guest/environment.ts';
import { applyIdentity, applyWake, parseIdentity, parseWake } from './guest/identity.ts';
import { listeningPorts } from './guest/listening-ports.ts';
import { protectAgent } from './guest/memory-scores.ts';
import { MemoryWatch } from './guest/memory-watch.ts';
import { MetricsReader } from './guest/metrics.ts';
import { programCalls } from './guest/program-calls.ts';
import { readProcess, type ProgramScope } from './guest/programs.ts';
import { RootHelper } from './guest/root-helper.ts';
import { readJson } from './http/body.ts';
import { sendJson } from './http/respond.ts';
import { createRouter, type Call } from './http/router.ts';
import { TokenGuard } from './http/token.ts';
import { IdeProcess } from './ide/process.ts';
import { waitForIde } from './ide/readiness.ts';
import { log, messageOf } from './log.ts';
import { ChangeCounter } from './workspace/change-counter.ts';
import { WorkspaceService } from './workspace/service.ts';
import { Stillness, stoppingFreezer } from './workspace/stillness.ts';

const PROTOCOL_VERSION: typeof import('#shared/guest-protocol.ts').GUEST_PROTOCOL_VERSION = 1;
export const AGENT_VERSION = '1.0.0';
/** A frame of an exec WebSocket; clients send input in far smaller pieces. */
const MAX_EXEC_FRAME_BYTES = 16 * 1024 * 1024;

export type RunningAgent = { readonly port: number; readonly ready: Promise<void>; stop(): Promise<void> };

/** Starts everything and resolves once the port listens. `workerArgv` starts this program again as the workspace worker. */
export async function startAgent(config: AgentConfig, workerArgv: readonly string[]): Promise<RunningAgent> {
  const { user, ide } = config;
  const bootedAt = Date.now() - Math.round(performance.now());
  const token = new TokenGuard(config.tokenFile);
  if (user !== null) protectAgent();
  const helper = user === null ? null : new RootHelper();
  // A predecessor may have died while it held the disk still; until it is let go every write waits.
  await helper?.thaw(config.workspace).catch((error: unknown) => log(`thawing the workspace: ${messageOf(error)}`));
  mkdirSync(config.workspace, { recursive: true });
  if (user !== null) chownSync(config.workspace, user.uid, user.gid);

  const environment = new GuestEnvironment(config);
  const activity = new ActivityLog(user !== null);
  const changes = new ChangeCounter(config.workspace, () => activity.note('file'));
  const workspace = new WorkspaceService(config, environment, workerArgv, changes, () => stillness.hold !== null);
  const metrics = new MetricsReader();
  const memory = new MemoryWatch(user !== null);
  const ideProcess = new IdeProcess(config, environment, memory);
  const ownSession = readProcess(process.pid)?.session ?? process.pid;
  const scope: ProgramScope = { workspace: config.workspace, ownMachine: user !== null, ownSessions: () => new Set([ownSession, ideProcess.session ?? ownSession]) };
  const stillness = new Stillness(helper === null ? stoppingFreezer(scope) : { freeze: () => helper.freeze(config.workspace), thaw: () => helper.thaw(config.workspace) });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_EXEC_FRAME_BYTES, perMessageDeflate: false });
  let stopping = false;
  let ideReady = false;
  /** Grows with each start of the IDE, so that an old wait does not speak for a new process. */
  let ideGeneration = 0;

  const untilIdeServes = async (): Promise<void> => {
    ideReady = false;
    ideGeneration += 1;
    const generation = ideGeneration;
    if (await waitForIde(ide, () => stopping || generation !== ideGeneration)) ideReady = true;
  };

  const health = (): GuestHealth => ({
    v: PROTOCOL_VERSION, agent: AGENT_VERSION, ideReady: ideReady && workspace.warm,
    ide: { name: ide.name, version: ide.version, commit: ide.commit }, hostname: hostname(), now: Date.now(), bootedAt,
  });

  const stop = async (): Promise<void> => {
    stopping = true;
    await stillness.release();
    ideProcess.stop();
    workspace.stop();
    changes.close();
    for (const client of sockets.clients) client.terminate();
    helper?.dispose();
    server.closeAllConnections();
    await new Promise<void>((resolve) => { server.close(() => resolve()); });
  };

  const calls: Readonly<Record<string, Call>> = {
    'GET health': ({ response }) => sendJson(response, 200, health()),
    'POST identity': async ({ request, response, receivedAt }) => {
      const identity = parseIdentity(await readJson(request));
      if (user !== null && helper !== null) await applyIdentity(identity, receivedAt, user, helper);
      environment.setExtra(identity.env);
      activity.reset();
      token.replace(identity.token);
      sendJson(response, 200, health());
    },
    'POST wake': async ({ request, response, receivedAt }) => {
      const wake = parseWake(await readJson(request));
      if (helper !== null) await applyWake(wake, receivedAt, helper);
      sendJson(response, 200, health());
    },
    'PUT workspace': (context) => workspace.put(context),
    'POST workspace/save': (context) => workspace.save(context),
    'GET files': (context) => getFile(config, context),
    'PUT files': (context) => putFile(config, context),
    'DELETE files': (context) => deleteFile(config, context),
    'GET activity': async ({ query, response }) => {
      // Let the event loop collect file events that are waiting already, so that the counter covers all that is done.
      await nextTurn();
      await nextTurn();
      memory.read(); // the one question that is asked again and again
      sendJson(response, 200, activity.read(await workspace.changeCounter(query.get('look') === '1'), stillness.hold));
    },
    ...programCalls({ scope, changes, stillness }),
    'GET metrics': ({ response }) => sendJson(response, 200, metrics.read(config.workspace, memory.read())),
    'GET ports': ({ response }) => sendJson(response, 200, { ports: listeningPorts(new Set([ide.port, (server.address() as AddressInfo).port])) }),
    'GET ide-log': ({ response }) => sendJson(response, 200, { lines: ideProcess.logTail }),
    'POST shutdown': async ({ response }) => {
      sendJson(response, 202, { status: 'stopping' });
      await nextTurn();
      await shutdown();
    },
  };

  const shutdown = async (): Promise<void> => {
    stopping = true;
    await stillness.release();
    ideProcess.stop();
    workspace.stop();
    if (helper === null) {
      await stop();
      process.exit(0);
    }
    await helper.reboot();
  };

  const server = createRouter({
    token, idePort: ide.port, ideLog: () => ideProcess.logTail, calls,
    upgrades: {
      exec: (request, socket, head) => {
        sockets.handleUpgrade(request, socket, head, (client) => serveExec(client, {
          config, environment, memory,
          onActivity(event, terminal) {
            const kind = terminal ? 'terminal' : 'exec';
            if (event === 'start') activity.opened(kind);
            else if (event === 'end') activity.closed(kind);
            else activity.note(kind);
          },
        }));
      },
    },
    onTraffic(kind, bytes) {
      if (kind === 'ide' && bytes !== null) activity.noteIdeData(bytes);
      else activity.note(kind);
    },
    onIdeSocket: (change) => activity[change]('ide'),
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: config.listen.host, port: config.listen.port, backlog: 511 }, resolve);
  });

  const warmed = workspace.start();
  const { promise: ready, resolve: onReady } = Promise.withResolvers<void>();
  ideProcess.onStart(() => {
    untilIdeServes().then(() => warmed).then(() => { if (ideReady) onReady(); }).catch((error: unknown) => log(`waiting for the IDE: ${messageOf(error)}`));
  });
  ideProcess.start();
  return { port: (server.address() as AddressInfo).port, ready, stop };
}

