import { copyFile, rm, writeFile } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import { GUEST_NETWORK } from '../../../images/recipe/guest-layout.ts';
import { introduceGuest, makeToken } from '../../guest/introduce.ts';
import type { VmRecord } from '../../records/vm-record.ts';
import type { RunUser } from '../../system/run-user.ts';
import { freePort } from '../../system/free-port.ts';
import type { Template } from '../../templates/template-store.ts';
import { TEMPLATE_FILES } from '../../templates/template-store.ts';
import type { VmSpec, WorkContext } from '../driver.ts';
import { launchUntilItBoots } from './boot-watch.ts';
import { launchMachine, machineLives, makeSocketDir } from './launch-machine.ts';
import type { Machine } from './launch-machine.ts';
import { DESCRIPTOR } from './machine-arguments.ts';
import { MachineFiles } from './machine-files.ts';
import { restore } from './migration.ts';
import { makeOverlay } from './overlay-disk.ts';
import { MEMORY_LIBRARY } from './read-only-memory.ts';
import type { QemuRuntime } from './qemu-runtime.ts';

export const VM_FILES = { disk: 'data.qcow2', console: 'console.log', hypervisor: 'hypervisor.log', token: 'bootstrap-token' } as const;

export type StartGiven = {
  readonly spec: VmSpec;
  readonly record: VmRecord;
  readonly directory: string;
  readonly socketDir: string;
  readonly runtime: QemuRuntime;
  readonly token: string;
  /** Rejects when guests cannot be kept away from the host: then none may run. */
  readonly isolated: Promise<unknown>;
  readonly save: (change: Partial<VmRecord>) => Promise<void>;
  /** Called as soon as the machine exists. */
  readonly launched: (machine: Machine) => void;
  readonly startedAt: number;
};

async function openCommonFiles(files: MachineFiles, given: StartGiven): Promise<void> {
  const at = (name: string): string => join(given.directory, name);
  await Promise.all([
    files.write('data', at(VM_FILES.disk), 'r+'), files.write('console', at(VM_FILES.console), 'a'), files.write('log', at(VM_FILES.hypervisor), 'a'),
    files.read('root', given.runtime.boot.image.root), files.read('dataBase', given.runtime.boot.dataDisk.path),
  ]);
}

async function launch(given: StartGiven, user: RunUser | null, context: WorkContext, files: MachineFiles, port: number, machine: Parameters<typeof launchMachine>[0]['machine']): Promise<Machine> {
  const processes: VmRecord['processes'] = [];
  const started = await launchMachine({
    machine, files, port, agentPort: GUEST_AGENT_PORT, socketDir: given.socketDir, user,
    started: (role, identity) => {
      processes.push({ ...identity, role });
      if (role === 'network') context.stage('hypervisor');
    },
  });
  given.launched(started);
  await given.save({ processes, port, uid: user?.uid ?? null, stage: 'hypervisor' });
  return started;
}

/**
 * Starts a VM as a copy-on-write clone of a frozen one: private view of its memory file, own disk layer, the devices' state
 * restored. What does not depend on each other runs at once. Throws VM_START_FAILED, GUEST_TIMEOUT, CANCELLED.
 */
export async function startClone(given: StartGiven, template: Template, context: WorkContext): Promise<void> {
  const machine = await restoreClone(given, template, context);
  await introduce(given, machine, context, { booting: false, bootstrapToken: template.meta.bootstrapToken });
}

/** A clone that runs and is nobody yet. Throws VM_START_FAILED, CANCELLED. */
export async function restoreClone(given: StartGiven, template: Template, context: WorkContext): Promise<Machine> {
  const from = (name: string): string => join(template.directory, name);
  context.stage('disk');
  const user = await makeSocketDir(given.socketDir, given.runtime.user);
  await using files = new MachineFiles(user);
  const [port] = await Promise.all([
    freePort(),
    // A fixed small file: the empty layer was made with the template.
    copyFile(from(TEMPLATE_FILES.overlay), join(given.directory, VM_FILES.disk), constants.COPYFILE_FICLONE).then(() => openCommonFiles(files, given)),
    files.read('memory', from(TEMPLATE_FILES.memory)),
    files.read('memoryLibrary', from(MEMORY_LIBRARY)),
    files.read('state', from(TEMPLATE_FILES.state)),
    files.read('templateDisk', from(TEMPLATE_FILES.disk)),
  ]);
  context.stage('network');
  const machine = await launch(given, user, context, files, port, {
    tier: given.spec.tier, accelerator: given.runtime.accelerator, name: given.spec.id, memory: 'private', kernelCommandLine: null,
    dataLayers: [{ role: 'data', format: 'qcow2' }, { role: 'templateDisk', format: 'qcow2' }, { role: 'dataBase', format: 'raw' }],
  });
  context.stage('restore');
  await restore(machine.qmp, DESCRIPTOR.state, 'stays', context.signal);
  await given.isolated;
  context.stage('resume');
  await machine.qmp.execute('cont');
  return machine;
}

/** Starts a VM by booting it from its disks. Throws VM_START_FAILED, GUEST_TIMEOUT, CANCELLED. */
export async function startCold(given: StartGiven, context: WorkContext): Promise<void> {
  const { image, dataDisk } = given.runtime.boot;
  const bootstrapToken = makeToken();
  const tokenPath = join(given.directory, VM_FILES.token);
  context.stage('disk');
  await given.isolated;
  const user = await makeSocketDir(given.socketDir, given.runtime.user);
  await using files = new MachineFiles(user);
  const [port] = await Promise.all([
    freePort(), writeFile(tokenPath, bootstrapToken, { mode: 0o600 }),
    makeOverlay(join(given.directory, VM_FILES.disk), { path: dataDisk.path, format: 'raw' }),
  ]);
  await Promise.all([openCommonFiles(files, given), files.read('kernel', image.kernel), files.read('initrd', image.initrd), files.write('token', tokenPath, 'r+')]);
  context.stage('network');
  const machine = await launchUntilItBoots(() => launch(given, user, context, files, port, {
    tier: given.spec.tier, accelerator: given.runtime.accelerator, name: given.spec.id, memory: 'plain', kernelCommandLine: given.runtime.kernelCommandLine,
    dataLayers: [{ role: 'data', format: 'qcow2' }, { role: 'dataBase', format: 'raw' }],
  }), join(given.directory, VM_FILES.console), context, given.startedAt + given.spec.deadlineMs);
  await introduce(given, machine, context, { booting: true, bootstrapToken });
  // It opened the door once and opens nothing any more.
  await rm(tokenPath, { force: true });
}

/** Makes a running machine somebody, see {@link introduceGuest}. */
export async function introduce(given: StartGiven, machine: Machine, context: WorkContext, how: { readonly booting: boolean; readonly bootstrapToken: string }): Promise<void> {
  await introduceGuest({
    address: { host: '127.0.0.1', port: machine.port }, bootstrapToken: how.bootstrapToken, token: given.token, nameservers: [GUEST_NETWORK.nameserver],
    spec: given.spec, booting: how.booting, alive: () => machineLives(machine),
  }, context, given.startedAt);
}
