import { randomUUID } from 'node:crypto';
import { posix } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import type { GuestHealth } from '#shared/guest-protocol.ts';
import { codeServer } from '../../images/ide/code-server.ts';
import { openvscodeServer } from '../../images/ide/openvscode-server.ts';
import { GUEST_USER, WORKSPACE_DIR } from '../../images/recipe/guest-layout.ts';
import type { WorkContext } from '../drivers/driver.ts';
import type { GuestAddress } from './guest-client.ts';
import { recordPage } from './record-page.ts';
import { ChannelClient } from './ide-session/channel-client.ts';
import { IdeConnection, type IdeEndpoint } from './ide-session/connection.ts';

/** What an emulated guest needs for its very first answer of this kind, with everything still to be compiled. */
const ANSWER_MS = 180_000;
/** After the third, nothing became faster any more. */
const ROUNDS = 4;
const AUTHORITY = 'rehearsal.vessel.localhost';
const FILES = 'remoteFilesystem';
/** In the guest. Never the workspace: a greeting may be given up between any two calls, and a machine that is kept all the same is somebody's soon. */
const SCRATCH_DIR = '/tmp';
/** Measured: a guest that was paused at once needed 0.1 s longer for its next identity. */
const SETTLE_MS = 2_000;

/** The adapters whose server speaks as this rehearsal does. */
const ADAPTERS = [codeServer, openvscodeServer];

/**
 * Lets VS Code's server live through the first seconds of a workbench: the same greeting, the same calls. Measured in emulation, a
 * fresh clone needed 18 s to list its own built-in extensions and 5 s for each further listing, with everything else waiting behind
 * that; what has been through it before is compiled, and VS Code's own cache of the listing is filled.
 * Also keeps the page beside the IDE's files (see recordPage). Throws GUEST_UNREACHABLE or GUEST_TIMEOUT.
 */
export async function rehearseIde(address: GuestAddress, token: string, ide: GuestHealth['ide'], ideStaticDir: string, context: Pick<WorkContext, 'signal' | 'log'>): Promise<void> {
  const adapter = ADAPTERS.find(({ name }) => name === ide.name);
  if (adapter === undefined || ide.commit === null) return;
  const endpoint: IdeEndpoint = { address, token, commit: ide.commit };
  const folder = posix.join(GUEST_USER.home, posix.dirname(adapter.settingsPath));
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(ANSWER_MS)]);
    await page(endpoint, adapter.warmPaths, signal);
    await managementSession(endpoint, folder, signal, { watcher: true });
    await extensionHostSession(endpoint, signal);
    if (round === 0) await keepPage(endpoint, adapter.warmPaths, ideStaticDir, context);
    context.log('debug', `VS Code rehearsed in ${Math.round(performance.now() - began)} ms`);
  }
}

/** Without it workbenches load a moment later: an image's folder that cannot be written is no reason to fail. */
async function keepPage({ address, token }: IdeEndpoint, paths: readonly string[], ideStaticDir: string, { signal, log }: Pick<WorkContext, 'signal' | 'log'>): Promise<void> {
  const path = paths[0];
  if (path === undefined) return;
  try {
    await recordPage(address, token, path, ideStaticDir, signal);
  } catch (error) {
    log('warn', `VS Code's page is not kept: ${VesselError.from(error).message}`);
  }
}

/** The page itself, which VS Code renders for each visit. */
async function page({ address, token }: IdeEndpoint, paths: readonly string[], signal: AbortSignal): Promise<void> {
  for (const path of paths) {
    const answer = await fetch(`http://${address.host}:${address.port}${path}`, { signal, redirect: 'manual', headers: { authorization: `Bearer ${token}` } });
    await answer.arrayBuffer();
    if (answer.status >= 400) throw new VesselError('GUEST_UNREACHABLE', `VS Code answered ${answer.status} to ${path} in the rehearsal`);
  }
}

/**
 * The first calls of a workbench, once, in a machine that is kept ready: it then has their code translated by its own hypervisor when a window that has already
 * loaded its editor connects. False when the server gave no answer that a workbench could use, or is one that we do not know. Throws as the connection does.
 */
export async function greetIde(address: GuestAddress, token: string, ide: GuestHealth['ide'], signal: AbortSignal): Promise<boolean> {
  const adapter = ADAPTERS.find(({ name }) => name === ide.name);
  if (adapter === undefined || ide.commit === null) return false;
  const folder = posix.join(GUEST_USER.home, posix.dirname(adapter.settingsPath));
  const answered = await managementSession({ address, token, commit: ide.commit }, folder, signal, { watcher: false });
  // What it works off once nobody is connected any more would otherwise be done while somebody waits for it.
  await delay(SETTLE_MS, undefined, { signal });
  return answered;
}

/** A recursive watch takes the spare watcher of a guest, and another has to be loaded. False when the server's first answer was an error. */
async function managementSession(endpoint: IdeEndpoint, userFolder: string, signal: AbortSignal, { watcher }: { readonly watcher: boolean }): Promise<boolean> {
  const connection = await IdeConnection.open(endpoint, { kind: 'management' }, signal);
  const client = new ChannelClient(connection, { remoteAuthority: AUTHORITY, clientId: 'renderer' });
  const workspace = WORKSPACE_DIR;
  const uri = (path: string): unknown => ({ $mid: 1, path, scheme: 'vscode-remote', authority: AUTHORITY });
  const session = randomUUID();
  const all = (calls: readonly Promise<boolean>[]): Promise<readonly boolean[]> => Promise.all(calls);
  const watch = (path: string, recursive = false): Promise<boolean> => client.call(FILES, 'watch', [session, randomUUID(), uri(path), { recursive, excludes: [] }]);
  const inUser = (name: string): string => `${userFolder}/${name}`;
  const settings = ['settings.json', 'tasks.json', 'launch.json', 'mcp.json'];
  const answered = await client.call('remoteextensionsenvironment', 'getEnvironmentData', { remoteAuthority: AUTHORITY });
  client.listen(FILES, 'fileChange', [session]);
  await all([
    watch(userFolder), watch(workspace, watcher), ...settings.flatMap((name) => [watch(`${workspace}/.vscode/${name}`), client.call(FILES, 'stat', [uri(inUser(name))])]),
    ...settings.map((name) => client.call(FILES, 'readFile', [uri(inUser(name)), { atomic: false }])),
  ]);
  for (const event of TERMINAL_EVENTS) client.listen('remoteterminal', event);
  // The shells that a workbench offers: their paths may hold variables, which it is asked to fill in.
  client.listen('remoteterminal', '$onPtyHostRequestResolveVariablesEvent', undefined, (event) => {
    const { requestId, originalText } = event as { readonly requestId: number; readonly originalText: readonly string[] };
    // Cut off with the connection, when the list was not waited for.
    client.call('remoteterminal', '$acceptPtyHostResolvedVariables', [requestId, [...originalText]]).catch(() => undefined);
  });
  await all([
    client.call('remoteExtensionsScanner', 'scanExtensions', ['en', undefined, [], undefined, undefined]),
    client.call('remoteExtensionsScanner', 'whenExtensionsReady'),
    client.call('extensions', 'getInstalled', [undefined, undefined, undefined, 'en']),
    client.call('extensions', 'getInstalled', [1, uri(posix.join(userFolder, '../extensions/extensions.json')), undefined, 'en']),
    client.call(FILES, 'stat', [uri(workspace)]), client.call(FILES, 'readdir', [uri(workspace)]),
    client.call('mcpManagement', 'getInstalled', [null]), client.call('NativeMcpDiscoveryHelper', 'load', []),
    client.call('logger', 'getRegisteredLoggers'), client.call('telemetry', 'ping'),
    client.call('remoteterminal', '$getTerminalLayoutInfo', { workspaceId: 'rehearsal' }),
    client.call('remoteterminal', '$getDefaultSystemShell', [3]), client.call('remoteterminal', '$getPerformanceMarks'),
    Promise.race([client.call('remoteterminal', '$getProfiles', ['rehearsal', SHELLS, null, true]), delay(SHELLS_MS, false, { signal, ref: false })]),
  ]);
  const file = posix.join(SCRATCH_DIR, `.vessel-rehearsal-${session}`);
  await client.call(FILES, 'writeFile', [uri(file), Buffer.from('one\n'), { create: true, overwrite: true, unlock: false, atomic: false }]);
  client.listen(FILES, 'readFileStream', [uri(file), { atomic: false }]);
  await client.call(FILES, 'writeFile', [uri(file), Buffer.from('two\n'), { create: false, overwrite: true, unlock: false, atomic: false }]);
  await client.call(FILES, 'stat', [uri(file)]);
  await client.call(FILES, 'delete', [uri(file), { recursive: false, useTrash: false, atomic: false }]);
  connection.close();
  return answered;
}

/** Starts an extension host as a workbench does, waits until it is loaded, and lets it go. */
async function extensionHostSession(endpoint: IdeEndpoint, signal: AbortSignal): Promise<void> {
  const connection = await IdeConnection.open(endpoint, { kind: 'extensionHost', args: { language: 'en', break: false, port: null, env: {} } }, signal);
  await new Promise<void>((resolve, reject) => {
    connection.onMessage(() => resolve());
    connection.closed.then(() => reject(new Error('closed')), reject);
  });
  connection.close();
}

/** A server that asks in another way never answers with its list. */
const SHELLS_MS = 5_000;
/** What VS Code's settings name on Linux (`terminal.integrated.profiles.linux`). */
const SHELLS = { bash: { path: 'bash' }, zsh: { path: 'zsh' }, fish: { path: 'fish' }, tmux: { path: 'tmux' }, pwsh: { path: 'pwsh' } };
const TERMINAL_EVENTS = ['$onPtyHostExitEvent', '$onPtyHostStartEvent', '$onProcessDataEvent', '$onProcessReadyEvent', '$onProcessExitEvent', '$onDidChangeProperty'];
