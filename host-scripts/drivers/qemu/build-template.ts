import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import { TIERS } from '#shared/project.ts';
import type { Tier } from '#shared/project.ts';
import type { GuestHealth } from '#shared/guest-protocol.ts';
import { guestHealth } from '../../guest/guest-client.ts';
import { makeToken } from '../../guest/introduce.ts';
import { reachGuest } from '../../guest/reach-guest.ts';
import { rehearseIde } from '../../guest/rehearse-ide.ts';
import { rehearse } from '../../guest/rehearse.ts';
import { endProcess } from '../../system/end-process.ts';
import { freePort } from '../../system/free-port.ts';
import { isLocked } from '../../system/file-lock.ts';
import { cpuSeconds, findProcesses } from '../../system/process-identity.ts';
import type { ProcessIdentity } from '../../system/process-identity.ts';
import { BUILDING_MARK, TEMPLATE_FILES } from '../../templates/template-store.ts';
import type { TemplateMeta, TemplateStore } from '../../templates/template-store.ts';
import type { WorkContext } from '../driver.ts';
import { logTail } from '../log-tail.ts';
import { launchUntilItBoots } from './boot-watch.ts';
import { launchMachine, machineLives, makeSocketDir } from './launch-machine.ts';
import type { Machine } from './launch-machine.ts';
import { MachineFiles } from './machine-files.ts';
import { freeze } from './migration.ts';
import { makeOverlay } from './overlay-disk.ts';
import type { QemuRuntime } from './qemu-runtime.ts';
import { socketDirFor } from './socket-dir.ts';
import { waitUntil } from './wait-until.ts';

/** A cold boot in emulation took 8–20 s when it was measured; a crowded host needed 4 minutes. */
const BUILD_DEADLINE_MS = 600_000;
const READY_POLL_MS = 100;
const ATTEMPT_MS = 10_000;
/**
 * The guest goes idle, writes what it has to write, and loads the spare processes of VS Code before it is frozen: a clone then wakes up
 * with nothing to do. An idle guest uses about a fiftieth of a processor in emulation; timers of its first ten seconds have fired by then.
 */
const SETTLE_LEAST_MS = 10_000;
const SETTLE_STEP_MS = 1_500;
const SETTLE_MOST_MS = 45_000;
const IDLE_SHARE = 0.08;
const BLOCK_BYTES = 512;

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
    await rm(socketDir, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  }
}

/** Waits until the guest does nothing any more; a host too busy to tell only costs the most time. */
async function settle({ hypervisor }: Machine, { signal }: WorkContext): Promise<void> {
  const deadline = Date.now() + SETTLE_MOST_MS;
  await delay(SETTLE_LEAST_MS, undefined, { signal });
  let used = await cpuSeconds(hypervisor);
  for (;;) {
    await delay(SETTLE_STEP_MS, undefined, { signal });
    const now = await cpuSeconds(hypervisor);
    if ((now - used) * 1000 < SETTLE_STEP_MS * IDLE_SHARE || Date.now() > deadline) return;
    used = now;
  }
}

/** Returns the bootstrap token of the clones to come. */
async function bootAndRehearse(machine: Machine, token: string, ideStaticDir: string, context: WorkContext): Promise<string> {
  const deadline = Date.now() + BUILD_DEADLINE_MS;
  const address = { host: '127.0.0.1', port: machine.port };
  await reachGuest(address, token, context, { deadline, alive: () => machineLives(machine) });
  context.stage('ready');
  const health = (): Promise<GuestHealth> => guestHealth(address, token, { signal: context.signal, attemptMs: ATTEMPT_MS });
  await waitUntil(async () => (await health()).ideReady, { pollMs: READY_POLL_MS, deadline, signal: context.signal, what: 'VS Code in the template' });
  context.stage('rehearse');
  await rehearseIde(address, token, (await health()).ide, ideStaticDir, context);
  const last = await rehearse(address, token, 'template', ['/healthz'], context.signal);
  await settle(machine, context);
  return last;
}

async function meta(folder: string, given: Pick<TemplateMeta, 'key' | 'tier' | 'imageKey' | 'bootstrapToken'>, startedAt: number): Promise<TemplateMeta> {
  const at = (name: keyof typeof TEMPLATE_FILES): string => join(folder, TEMPLATE_FILES[name]);
  const [memory, disk, state] = await Promise.all([stat(at('memory')), stat(at('disk')), readFile(at('state'))]);
  return {
    ...given, builtAt: Date.now(), buildMs: Date.now() - startedAt, stateSha256: createHash('sha256').update(state).digest('hex'),
    memory: { bytes: memory.size, modifiedMs: memory.mtimeMs, allocatedBytes: memory.blocks * BLOCK_BYTES }, diskBytes: disk.size,
  };
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
    await makeSocketDir(socketDir, runtime.user);
    await makeOverlay(at(TEMPLATE_FILES.disk), { path: dataDisk.path, format: 'raw' });
    await writeFile(at('token'), token, { mode: 0o600 });
    await using files = new MachineFiles(runtime.user);
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
      files, port, socketDir, user: runtime.user, started: (_role, identity) => { processes.push(identity); },
    }), at('console.log'), context, startedAt + BUILD_DEADLINE_MS);
    const bootstrapToken = await bootAndRehearse(machine, token, image.ideStaticDir, context);
    context.stage('freeze');
    await freeze(machine.qmp, { statePath: at(TEMPLATE_FILES.state), socketDir, user: runtime.user, signal: context.signal });
    await waitUntil(async () => !await machineLives(machine), { pollMs: 10, deadline: Date.now() + ATTEMPT_MS, signal: context.signal, what: 'the frozen hypervisor to end' });
    await makeOverlay(at(TEMPLATE_FILES.overlay), { path: at(TEMPLATE_FILES.disk), format: 'qcow2' });
    await Promise.all(['token', 'console.log', 'hypervisor.log'].map((name) => rm(at(name), { force: true })));
    await store.publish(folder, await meta(folder, { key, tier, imageKey: image.key, bootstrapToken }, startedAt));
  } catch (error) {
    const failure = VesselError.from(error);
    const tail = [...await logTail(at('hypervisor.log'), 10), ...await logTail(at('console.log'), 20)];
    throw VesselError.fromShape({ ...failure.toShape(), message: `the template for ${tier} could not be made: ${failure.message}`, logTail: tail });
  } finally {
    await Promise.all(processes.map((identity) => endProcess(identity)));
    await rm(socketDir, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  }
}
