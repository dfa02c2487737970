import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import { TIERS } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import { makeToken } from '../../guest/introduce.ts';
import { endProcess } from '../../system/end-process.ts';
import { freePort } from '../../system/free-port.ts';
import { isLocked } from '../../system/file-lock.ts';
import { isRoot } from '../../system/run-user.ts';
import { findProcesses } from '../../system/process-identity.ts';
import type { ProcessIdentity } from '../../system/process-identity.ts';
import { ATTEMPT_MS, BUILD_DEADLINE_MS, bootAndRehearse } from '../../templates/boot-and-rehearse.ts';
import { BUILDING_MARK, TEMPLATE_FILES, templateMeta } from '../../templates/template-store.ts';
import type { TemplateStore } from '../../templates/template-store.ts';
import type { WorkContext } from '../driver.ts';
import { logTail } from '../log-tail.ts';
import { launchUntilItBoots } from './boot-watch.ts';
import { launchMachine, machineLives, makeSocketDir, removeSocketDir } from './launch-machine.ts';
import { MachineFiles } from './machine-files.ts';
import { freeze } from './migration.ts';
import { DESCRIPTOR } from './machine-arguments.ts';
import { makeOverlay } from './overlay-disk.ts';
import { MEMORY_LIBRARY, readOnlyMemoryLibrary } from './read-only-memory.ts';
import type { QemuRuntime } from './qemu-runtime.ts';
import { socketDirFor } from './socket-dir.ts';
import { waitUntil } from '../wait-until.ts';

/**
 * Ends the machines of interrupted builds and removes their folders. `own` is the key whose build's lock the caller holds (null for
 * none); the folders of other keys are left alone while somebody builds them.
 */
export async function sweepInterruptedBuilds(store: TemplateStore, run: string, own: string | null): Promise<void> {
  for (const folder of await store.leftovers()) {
    const key = basename(folder).split('.')[0] ?? '';
    if (key !== own && await isLocked(store.lockPath(key))) continue;
    const socketDir = socketDirFor(run, folder);
    const orphans = await findProcesses(({ argv }) => argv.some((argument) => argument.includes(`${socketDir}/`)));
    await Promise.all(orphans.map((identity) => endProcess(identity)));
    await removeSocketDir(socketDir);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Root's (or the agent's own) again, and not to be written to. */
async function seal(path: string): Promise<void> {
  if (isRoot()) await chown(path, 0, 0);
  await chmod(path, 0o400);
}

/**
 * Boots a machine on a memory file, waits until its IDE serves, freezes it and publishes the files under their key. About the time
 * of one cold boot. Leaves nothing behind when it fails. Call only while holding the build's lock.
 */
export async function buildTemplate(store: TemplateStore, run: string, runtime: QemuRuntime, tier: Tier, context: WorkContext): Promise<void> {
  const startedAt = Date.now();
  const key = runtime.templateKey(tier);
  const { image, dataDisk } = runtime.boot;
  const folder = store.directory(`${key}${BUILDING_MARK}${randomBytes(4).toString('hex')}`);
  const socketDir = socketDirFor(run, folder);
  const token = makeToken();
  const processes: ProcessIdentity[] = [];
  const at = (name: string): string => join(folder, name);
  try {
    await mkdir(folder, { recursive: true, mode: 0o711 });
    const user = await makeSocketDir(socketDir, runtime.user);
    await makeOverlay(at(TEMPLATE_FILES.disk), { path: dataDisk.path, format: 'raw' });
    await writeFile(at('token'), token, { mode: 0o600 });
    await using files = new MachineFiles(user);
    const memory = await files.write('memory', at(TEMPLATE_FILES.memory), 'w+');
    await memory.truncate(TIERS[tier].memoryMiB * 1024 * 1024);
    await files.write('data', at(TEMPLATE_FILES.disk), 'r+');
    await files.write('console', at('console.log'), 'a');
    await files.write('log', at('hypervisor.log'), 'a');
    await files.write('token', at('token'), 'r+');
    await files.read('dataBase', dataDisk.path);
    await files.read('root', image.root);
    await files.read('kernel', image.kernel);
    await files.read('initrd', image.initrd);
    context.stage('boot');
    const port = await freePort();
    const machine = await launchUntilItBoots(() => launchMachine({
      machine: { tier, accelerator: runtime.accelerator, name: 'template', memory: 'shared', kernelCommandLine: runtime.kernelCommandLine, dataLayers: [{ role: 'data', format: 'qcow2' }, { role: 'dataBase', format: 'raw' }] },
      files, port, agentPort: GUEST_AGENT_PORT, socketDir, user, started: (_role, identity) => { processes.push(identity); },
    }), at('console.log'), context, startedAt + BUILD_DEADLINE_MS);
    const guest = { address: { host: '127.0.0.1', port }, hypervisor: machine.hypervisor, alive: () => machineLives(machine) };
    const bootstrapToken = await bootAndRehearse(guest, token, image.ideStaticDir, context);
    context.stage('freeze');
    await freeze(machine.qmp, { statePath: at(TEMPLATE_FILES.state), socketDir, user, signal: context.signal });
    await waitUntil(async () => !await machineLives(machine), { pollMs: 10, deadline: Date.now() + ATTEMPT_MS, signal: context.signal, what: 'the frozen hypervisor to end' });
    // Every clone reads them, none may change them.
    for (const name of [TEMPLATE_FILES.memory, TEMPLATE_FILES.disk, TEMPLATE_FILES.state]) await seal(at(name));
    await writeFile(at(MEMORY_LIBRARY), readOnlyMemoryLibrary(DESCRIPTOR.memory), { mode: 0o444 });
    await chmod(at(MEMORY_LIBRARY), 0o444);
    await makeOverlay(at(TEMPLATE_FILES.overlay), { path: at(TEMPLATE_FILES.disk), format: 'qcow2' });
    await Promise.all(['token', 'console.log', 'hypervisor.log'].map((name) => rm(at(name), { force: true })));
    await store.publish(folder, await templateMeta(store, folder, { key, tier, imageKey: image.key, bootstrapToken }, startedAt));
  } catch (error) {
    const failure = VesselError.from(error);
    const tail = [...await logTail(at('hypervisor.log'), 10), ...await logTail(at('console.log'), 20)];
    throw VesselError.fromShape({ ...failure.toShape(), message: `the template for ${tier} could not be made: ${failure.message}`, logTail: tail });
  } finally {
    await Promise.all(processes.map((identity) => endProcess(identity)));
    await removeSocketDir(socketDir);
    await rm(folder, { recursive: true, force: true });
  }
}
