import { chown, open, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'node:net';
import { VesselError } from '#shared/errors.ts';
import type { Tier } from '#shared/project.ts';
import { TOKEN_LENGTH } from '../../../images/recipe/index.ts';
import { ensureHostRules, makeNamespace } from '../../network/guest-namespace.ts';
import type { GuestNamespace } from '../../network/guest-namespace.ts';
import { isAlive } from '../../system/process-identity.ts';
import type { ProcessIdentity } from '../../system/process-identity.ts';
import type { RunUser } from '../../system/run-user.ts';
import type { WorkContext } from '../driver.ts';
import { startDetached } from '../start-process.ts';
import { FirecrackerApi } from './api-client.ts';
import { cgroupVersion, jailOf, jailerArguments, linkOrCopy, makeJail } from './jail.ts';
import type { Jail, Programs } from './jail.ts';
import { JAILED, bootRequests, canSetClock, loadRequest, resumed } from './requests.ts';
import type { FirecrackerRuntime } from './firecracker-runtime.ts';

/** A machine's own files, in its folder and linked into its jail. */
export const FC_FILES = { data: 'data.raw', token: 'token.img', console: 'console.log' } as const;
/** The smallest drive there is. */
const SECTOR = 512;
/** The jailer copies the program and enters the namespace before the socket is there: some tens of milliseconds. */
const SOCKET_DEADLINE_MS = 15_000;
const SOCKET_POLL_MS = 5;

const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' } as const;

export type FirecrackerMachine = { readonly api: FirecrackerApi; readonly hypervisor: ProcessIdentity; readonly network: GuestNamespace; readonly jail: Jail; readonly exitCode: () => number | null };
export type MachinePlace = { readonly directory: string; readonly socketDir: string; readonly programs: Programs; readonly user: RunUser; /** Where the agent listens inside. */ readonly agentPort: number };

/** Through a short name: the jail's own path is longer than a socket's may be. */
export const jailedSocket = (socketDir: string, path: string): string => join(socketDir, 'root', path);

/** Writes the drive that holds a guest's first token; only the jailed user can read it. */
export async function writeTokenDrive(path: string, token: string, user: RunUser): Promise<void> {
  if (token.length !== TOKEN_LENGTH) throw new VesselError('INTERNAL', 'a first token has another length');
  const sector = Buffer.alloc(SECTOR);
  sector.write(token);
  await writeFile(path, sector, { mode: 0o400 });
  await chown(path, user.uid, user.gid);
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    // Not there yet.
    socket.once('error', () => resolve(false));
  });
}

/** Makes jail and network, starts the jailed hypervisor and waits for its API. `files`: name in the jail → file. It has no machine yet. */
export async function launchFirecracker(place: MachinePlace, files: Readonly<Record<string, string>>, context: WorkContext, started: (identity: ProcessIdentity, network: GuestNamespace) => Promise<void>): Promise<FirecrackerMachine> {
  const { directory, socketDir, programs, user, agentPort } = place;
  const jail = jailOf(directory, programs);
  await makeJail(jail, socketDir, user);
  for (const [name, source] of Object.entries(files)) await linkOrCopy(source, join(jail.root, name));
  context.stage('network');
  await ensureHostRules();
  const network = await makeNamespace(directory, user, agentPort);
  context.stage('hypervisor');
  const log = await open(join(directory, FC_FILES.console), 'a', 0o600);
  const { identity, child } = await startDetached({
    argv: jailerArguments(jail, programs, { user, namespacePath: network.path, cgroupVersion: await cgroupVersion() }),
    stdio: ['ignore', log.fd, log.fd], user: null, env: ENVIRONMENT, cwd: jail.root,
  }).finally(() => log.close());
  await started(identity, network);
  const socketPath = jailedSocket(socketDir, JAILED.api);
  const deadline = Date.now() + SOCKET_DEADLINE_MS;
  while (!await answers(socketPath)) {
    if (!await isAlive(identity)) throw new VesselError('VM_START_FAILED', 'the jailer or firecracker ended at once');
    if (Date.now() > deadline) throw new VesselError('VM_START_FAILED', 'firecracker does not open its API');
    await delay(SOCKET_POLL_MS, undefined, { signal: context.signal });
  }
  return { api: new FirecrackerApi(socketPath, context.signal), hypervisor: identity, network, jail, exitCode: () => child.exitCode };
}

/** The files of a machine that boots. */
export function bootFiles(runtime: FirecrackerRuntime, directory: string): Readonly<Record<string, string>> {
  const { image } = runtime.boot;
  return {
    [JAILED.kernel]: runtime.kernel, [JAILED.initrd]: image.initrd, [JAILED.root]: image.root,
    [JAILED.data]: join(directory, FC_FILES.data), [JAILED.token]: join(directory, FC_FILES.token),
  };
}

/** Configures and starts a machine from its disks. */
export async function boot(machine: FirecrackerMachine, tier: Tier, commandLine: string): Promise<void> {
  for (const { path, body } of bootRequests({ tier, commandLine })) await machine.api.put(path, body);
}

/** Loads a frozen machine; it stands still then. */
export async function load(machine: FirecrackerMachine): Promise<void> {
  const { path, body } = loadRequest(canSetClock(release()));
  await machine.api.put(path, body);
}

export const go = (api: FirecrackerApi): Promise<void> => api.patch('/vm', resumed);
