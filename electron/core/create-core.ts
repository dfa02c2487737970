import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { TopFolder } from '#shared/archive-rules.ts';
import type { Handlers } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import type { DriverName } from '#shared/host-protocol.ts';
import { runDirectory } from '#shared/paths.ts';
import { archiveReader } from './adapters/archive/archive-reader.ts';
import { makeArchiver } from './adapters/archive/archiver.ts';
import { makeCloudConnector } from './adapters/cloud/connector.ts';
import { openLocalColdStore } from './adapters/cold-local/cold-store.ts';
import { makeTieredColdStore } from './adapters/cold-tiered/cold-store.ts';
import { makeLocalFiles, sweepSpool } from './adapters/files/local-files.ts';
import { ensurePrivateFolder } from './adapters/files/private-folder.ts';
import { createGateway } from './adapters/gateway/create-gateway.ts';
import { connectGuest } from './adapters/guest/guest-client.ts';
import { makeIdeMirror } from './adapters/ide-mirror/ide-mirror.ts';
import { probeIde } from './adapters/ide-probe/probe-ide.ts';
import { LocalHostLink } from './adapters/local-host/local-host-link.ts';
import { DesktopParts } from './adapters/ssh/host-setup/desktop-parts.ts';
import { makeRemoteHosts, processSshEnvironment } from './adapters/ssh/make-remote-hosts.ts';
import { openSecretStore } from './adapters/secrets/open-secret-store.ts';
import { makeFault } from './adapters/runtime/faults.ts';
import { copiesSource, openCopies } from './adapters/safe-copies/open-copies.ts';
import { lockHome } from './adapters/sqlite/instance-lock.ts';
import { openStore } from './adapters/sqlite/store.ts';
import { textTools } from './adapters/text-diff/text-tools.ts';
import { redact } from './domain/redact.ts';
import type { Gateway } from './ports/gateway.ts';
import type { Runtime } from './ports/runtime.ts';
import type { Store } from './ports/store.ts';
import { Cloud } from './services/cloud/cloud.ts';
import { audit, type ServiceContext } from './services/context.ts';
import { Environments } from './services/environments/environments.ts';
import { mirrorSource, siblingSource } from './services/fsck.ts';
import { makeHandlers } from './services/handlers.ts';
import { History } from './services/history.ts';
import { Imports } from './services/imports.ts';
import { copiesPolicy, Offline } from './services/offline.ts';
import { secretWarner } from './services/cloud/secret-warner.ts';
import { Operations } from './services/operations/operations.ts';
import { Projects } from './services/projects.ts';
import { Prompts } from './services/prompts.ts';
import { healManifests, reindex, sweepArchives } from './services/reindex.ts';
import { SshHosts } from './services/ssh-hosts.ts';
import { StateFeed } from './services/state-feed.ts';
import { TEMPLATES } from './templates/index.ts';

export type CoreOptions = {
  /** State: database, cold store, session secret, host runtime. */
  readonly home: string;
  /** Rebuildable things: golden images, templates, IDE files. */
  readonly cache: string;
  /** Wanted gateway port; null = the one used last, else 80 if possible, else a free one. */
  readonly port: number | null;
  /** How to run infra-agent on this computer, e.g. [node, 'out/host/infra-agent.mjs']. */
  readonly agentCommand: readonly string[];
  /** How to run infra-agent on every host over SSH, instead of the one that provisioning puts there: tests and benches. */
  readonly remoteAgentCommand?: readonly string[] | undefined;
  /** How this computer runs guests; null for what it was provisioned with. `process` runs them without a VM: tests only. */
  readonly driver: DriverName | null;
  /** Set this computer up in the background when it is not, and let openings wait for it. */
  readonly prepare?: boolean;
  readonly log: (line: string) => void;
  /** Seals the secrets that a person asked to keep; kept by the desktop's keychain. Without it they rest in a private file. */
  readonly secretKey?: Buffer;
};

/** All that Vessel does, for any door. */
export type Core = {
  readonly handlers: Handlers;
  readonly gateway: Gateway;
  /** Streams of the HTTP door that do not fit a JSON call. */
  importZip(content: Readable, options: { readonly name: string; readonly hostId: string; readonly topFolder: TopFolder; readonly signal: AbortSignal }): Promise<{ readonly projectId: string; readonly operationId: string }>;
  openRevision(projectId: string, rev: number | null): Promise<{ readonly content: Readable; readonly bytes: number; readonly fileName: string; readonly sha256: string }>;
  /** One file of a revision. Throws NOT_FOUND. */
  openRevisionFile(projectId: string, rev: number | null, path: string): Promise<{ readonly content: Readable; readonly bytes: number; readonly fileName: string }>;
  /** Ends operations, leaves running environments alone, closes the database. Idempotent. */
  dispose(): Promise<void>;
};

export type CreateCore = (options: CoreOptions) => Promise<Core>;

/** Stands in package.json as well; a test holds the two together. */
export const VERSION = '0.1.0';
/** Looking through every project's folder waits until the list is shown. */
const TIDY_AFTER_MS = 2_000;
/** Deleted projects are purged once a day at most, and soon after each start. */
const PURGE_MS = 24 * 60 * 60 * 1000;

/**
 * Wires core: state, cold store, host, gateway, services. Returns as soon as calls can be answered; what runs on the host
 * is reconciled in the background. Throws ALREADY_RUNNING when another Vessel holds the home, PORT_IN_USE.
 */
export const createCore: CreateCore = async (options) => {
  ensurePrivateFolder(options.home);
  const lock = lockHome(runDirectory(options.home));
  const undo: (() => Promise<void> | void)[] = [() => lock.release()];
  const unwind = async (): Promise<void> => { for (const step of undo.splice(0).reverse()) await step(); };
  try {
    return await assemble(options, undo, unwind);
  } catch (error) {
    await unwind();
    throw error;
  }
};

async function assemble(options: CoreOptions, undo: (() => Promise<void> | void)[], unwind: () => Promise<void>): Promise<Core> {
  const { home, cache } = options;
  const began = Date.now();
  const runtime: Runtime = { now: () => Date.now(), log: (line) => options.log(redact(line)), fault: makeFault(process.env['VESSEL_FAULT']) };
  let cloud: Cloud | null = null;
  const cold = makeTieredColdStore(await openLocalColdStore(join(home, 'cold')), (projectId) => cloud?.archivesOf(projectId) ?? null, join(home, 'cloud', 'down'));
  await sweepSpool(join(home, 'spool'));
  await sweepSpool(join(home, 'cloud', 'up'));
  const { store, corruption } = openOrReplace(join(home, 'vessel.db'));
  undo.push(() => store.close());
  const operations = new Operations(store, runtime);
  const feed = new StateFeed(store, operations);
  let gateway: Gateway | null = null;
  const theGateway = (): Gateway => {
    if (gateway === null) throw new VesselError('INTERNAL', 'The gateway is asked for before it exists');
    return gateway;
  };
  const context: ServiceContext = {
    store, cold, runtime, operations, feed, connectGuest,
    archiver: makeArchiver((id, name) => TEMPLATES[id](name)),
    files: makeLocalFiles(join(home, 'spool')),
    ideMirror: makeIdeMirror({ cache, log: runtime.log }),
    gateway: theGateway,
    probeIde: (projectId, signal) => probeIde(theGateway(), projectId, environments.context.live.find(projectId)?.ide?.name ?? null, signal),
  };
  if (corruption !== null || store.projects.isEmpty()) await reindex(context);
  if (corruption !== null) {
    runtime.log(`${corruption.code}: ${corruption.message}`);
    audit(context, { kind: 'store.corrupt', text: corruption.message, data: { ...corruption.details } });
  }

  const link = new LocalHostLink({ hostId: 'local', command: options.agentCommand, env: agentEnvironment(options), log: runtime.log });
  undo.push(() => link.dispose());
  const environments = new Environments(context, [link]);
  const { hosts } = environments.context;
  undo.push(() => hosts.dispose());
  const secrets = await openSecretStore(join(home, 'ssh'), options.secretKey ?? null, runtime.log);
  const sshHosts = new SshHosts(context, hosts, makeRemoteHosts({
    home, secrets, log: runtime.log, environment: processSshEnvironment(),
    parts: new DesktopParts({
      cache, agentCommand: options.agentCommand, version: VERSION, env: process.env,
      imageKey: async () => (await hosts.refresh('local')).facts?.image?.key ?? null,
    }),
    agentCommand: options.remoteAgentCommand,
  }));
  const projects = new Projects(context);
  const imports = new Imports(context, projects);
  const history = new History(context, projects);
  const copies = await openCopies({ cold, root: join(home, 'copies'), policy: () => copiesPolicy(store), now: runtime.now });
  const offline = new Offline({ context, projects, history, reader: archiveReader, texts: textTools, copies, sources: [copiesSource(copies), siblingSource(context), mirrorSource('its copy in the cloud', (projectId) => cloud?.archivesOf(projectId) ?? null)], clouds: () => cloud?.reachable() ?? [] });
  gateway = await createGateway({ routes: environments.routes, home, cache, port: options.port, log: runtime.log });
  undo.push(() => theGateway().close());
  undo.push(async () => { await operations.close(); await environments.dispose(); feed.close(); });
  cloud = new Cloud(context, makeCloudConnector({ home, secrets: await openSecretStore(join(home, 'cloud'), options.secretKey ?? null, runtime.log) }), secretWarner(context, ({ projectId, rev }, signal) => offline.scan(projectId, rev, null, signal)));
  undo.push(() => cloud?.stop());

  const housekeeping = async (): Promise<void> => {
    try {
      await healManifests(context);
      await projects.purge();
      await sweepArchives(context, (projectId) => operations.active(projectId, null) !== null);
    } catch (error) {
      runtime.log(`housekeeping: ${VesselError.from(error).message}`);
    }
  };
  let tidying = Promise.resolve();
  const tidy = (): void => { tidying = tidying.then(housekeeping); };
  const first = setTimeout(tidy, TIDY_AFTER_MS);
  const timer = setInterval(tidy, PURGE_MS);
  undo.push(async () => { clearTimeout(first); clearInterval(timer); await tidying; });
  environments.start();
  if (options.prepare === true) environments.context.preparation.begin();
  cloud.start();
  offline.start();
  undo.push(() => offline.close());

  const app = {
    version: VERSION, pid: process.pid, home, cache, secretsSealed: options.secretKey !== undefined, node: process.version, uptimeMs: () => Date.now() - began,
    // The door that owns the process hears the signal and ends it cleanly; the answer leaves first.
    quit: () => { setImmediate(() => process.kill(process.pid, 'SIGTERM')); },
  };
  let disposed: Promise<void> | null = null;
  return {
    gateway,
    handlers: makeHandlers({ context, app, environments, projects, imports, history, sshHosts, prompts: new Prompts(), cloud, offline }),
    importZip: (content, { name, hostId, topFolder, signal }) => imports.fromUpload(content, name, hostId, topFolder, signal),
    openRevision: (projectId, rev) => history.open(projectId, rev),
    openRevisionFile: (projectId, rev, path) => offline.openFile(projectId, rev, path),
    dispose: () => (disposed ??= unwind()),
  };
}

/** An unreadable database is replaced by a fresh one; the cold store then gives back the projects. */
function openOrReplace(path: string): { readonly store: Store; readonly corruption: VesselError | null } {
  try {
    return { store: openStore(path), corruption: null };
  } catch (error) {
    if (!(error instanceof VesselError) || error.code !== 'STORE_CORRUPT' || error.details['movedTo'] === null) throw error;
    return { store: openStore(path), corruption: error };
  }
}

function agentEnvironment({ home, cache, driver }: CoreOptions): Readonly<Record<string, string>> {
  return { VESSEL_HOME: home, VESSEL_CACHE: cache, VESSEL_DRIVER: driver ?? '', ...(driver === 'process' ? { VESSEL_UNSAFE_PROCESS_DRIVER: '1' } : {}) };
}
