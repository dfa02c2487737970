import { chown, mkdir, readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { guestAnnouncement, hasDefaultRoute, passtArguments } from '../../network/guest-network.ts';
import { identifyProcess } from '../../system/process-identity.ts';
import type { ProcessIdentity } from '../../system/process-identity.ts';
import { claimMachineUser, releaseMachineUser } from '../../system/machine-user.ts';
import { ensureRunFolder } from '../../system/run-folder.ts';
import type { RunUser } from '../../system/run-user.ts';
import { startDetached } from '../start-process.ts';
import { DESCRIPTOR, QEMU, machineArguments } from './machine-arguments.ts';
import type { MachineGiven } from './machine-arguments.ts';
import type { MachineFiles } from './machine-files.ts';
import { QmpClient } from './qmp-client.ts';

export type Machine = {
  readonly qmp: QmpClient;
  readonly hypervisor: ProcessIdentity;
  readonly network: ProcessIdentity;
  readonly port: number;
  /** True once one of its processes was killed (by a person, or by a host that ran out of memory): no fault of what it was made from. */
  readonly killed: () => boolean;
};

/** A machine's folder of sockets is its user's alone. */
const PRIVATE = 0o700;

/** Nothing of the agent's environment reaches a hypervisor. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' } as const;

/** Makes the folder of a machine's sockets and its forwarder's log, and resolves to the user that the machine is to run as: one of its own. */
export async function makeSocketDir(socketDir: string, service: RunUser | null): Promise<RunUser | null> {
  await ensureRunFolder(dirname(socketDir));
  await mkdir(socketDir, { recursive: true, mode: PRIVATE });
  if (service === null) return null;
  const user = await claimMachineUser(socketDir, service);
  await chown(socketDir, user.uid, user.gid);
  return user;
}

/** Takes the folder away, and gives back the user that went with it. */
export async function removeSocketDir(socketDir: string): Promise<void> {
  await rm(socketDir, { recursive: true, force: true });
  await releaseMachineUser(socketDir);
}

export type LaunchOptions = {
  readonly machine: Omit<MachineGiven, 'controlSocket'>;
  readonly files: MachineFiles;
  readonly port: number;
  /** Where the agent listens inside. */
  readonly agentPort: number;
  readonly socketDir: string;
  readonly user: RunUser | null;
  /** Called with each process as soon as it lives, to be written down. */
  readonly started: (role: 'network' | 'hypervisor', identity: ProcessIdentity) => void;
};

function socketAt(child: { readonly stdio: readonly unknown[] }, index: number): Socket {
  const socket = child.stdio[index];
  if (socket === null || socket === undefined) throw new VesselError('INTERNAL', `descriptor ${index} is not a socket`);
  return socket as Socket;
}

/**
 * Starts the network forwarder and the hypervisor, which share a socket pair: neither waits for the other, and the forwarder ends
 * when the hypervisor does. Both lead their own sessions and survive this process.
 */
export async function launchMachine(options: LaunchOptions): Promise<Machine> {
  const { socketDir, user, port } = options;
  const log = options.files.descriptors().get(DESCRIPTOR.log) ?? 'ignore';
  const network = await startDetached({
    argv: passtArguments({ hostPort: port, guestPort: options.agentPort, logPath: join(socketDir, 'network.log'), routed: hasDefaultRoute(await readFile('/proc/net/route', 'utf8')) }),
    stdio: ['ignore', log, log, 'pipe'], user, env: ENVIRONMENT, cwd: '/',
  });
  options.started('network', network.identity);
  const link = socketAt(network.child, 3);
  // A forwarder that ends early breaks the pair; that it is gone is found by its process.
  link.on('error', () => undefined);
  link.write(guestAnnouncement());

  const descriptors = new Map<number, number | 'pipe' | Socket>(options.files.descriptors());
  descriptors.set(DESCRIPTOR.network, link);
  descriptors.set(DESCRIPTOR.control, 'pipe');
  const highest = Math.max(...descriptors.keys());
  const hypervisor = await startDetached({
    argv: [QEMU, ...machineArguments({ ...options.machine, controlSocket: join(socketDir, 'control.sock') })],
    stdio: Array.from({ length: highest + 1 }, (_, index) => descriptors.get(index) ?? 'ignore'),
    user, cwd: '/', env: options.machine.memory === 'private' ? { ...ENVIRONMENT, LD_PRELOAD: `/proc/self/fd/${DESCRIPTOR.memoryLibrary}` } : ENVIRONMENT,
  }).finally(() => link.destroy());
  options.started('hypervisor', hypervisor.identity);
  return {
    qmp: new QmpClient(socketAt(hypervisor.child, DESCRIPTOR.control)), hypervisor: hypervisor.identity, network: network.identity, port,
    killed: () => [hypervisor, network].some(({ child }) => child.signalCode === 'SIGKILL'),
  };
}

/** True while both processes of a machine live. */
export async function machineLives(machine: Machine): Promise<boolean> {
  const [hypervisor, network] = await Promise.all([identifyProcess(machine.hypervisor.pid), identifyProcess(machine.network.pid)]);
  return hypervisor?.startTicks === machine.hypervisor.startTicks && network?.startTicks === machine.network.startTicks;
}
