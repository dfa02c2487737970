import { link, mkdir, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { TIERS } from '#shared/project.ts';
import { changeCounterOf } from '../../guest/change-counter.ts';
import { wakeGuest } from '../../guest/introduce.ts';
import { removeNamespace } from '../../network/guest-namespace.ts';
import type { GuestNamespace } from '../../network/guest-namespace.ts';
import { RESUME_COMMITTED } from '../../records/vm-record.ts';
import type { VmRecord } from '../../records/vm-record.ts';
import { syncFolder } from '../../system/atomic-file.ts';
import { endProcess } from '../../system/end-process.ts';
import { hostBootId, isAlive, ownIdentity } from '../../system/process-identity.ts';
import type { ProcessIdentity } from '../../system/process-identity.ts';
import { processorIdentity } from '../../templates/template-key.ts';
import type { WorkContext } from '../driver.ts';
import type { ResumeGiven, SleepAbilityOptions, SleepGiven } from '../sleep-ability.ts';
import { FirecrackerApi } from './api-client.ts';
import { firecrackerVersion } from './firecracker-runtime.ts';
import { cgroupVersion, jailOf, removeCgroups } from './jail.ts';
import type { Programs } from './jail.ts';
import { FC_FILES, go, jailedSocket, launchFirecracker, load } from './machine.ts';
import { JAILED, paused } from './requests.ts';

/** Never the names of what the machine was loaded from: its own memory still maps that file, and clones share it. */
const FRESH = { state: '/frozen-state', memory: '/frozen-memory' } as const;
const FOLDER = 'frozen';
const FROZEN = { root: 'root.img', state: 'state', memory: 'memory' } as const;
/** The devices' state, beyond the memory itself. */
const SPARE_BYTES = 64 * 1024 * 1024;

const frozen = (directory: string, name: keyof typeof FROZEN): string => join(directory, FOLDER, FROZEN[name]);

async function seal(from: string, to: string): Promise<void> {
  const file = await open(from, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  // Not over the old name in place: a machine may map the old file.
  await rm(to, { force: true });
  await rename(from, to);
}

const placeOf = (identity: ProcessIdentity, { host, port }: GuestNamespace): Pick<VmRecord, 'host' | 'processes'> & { readonly port: number } => ({ host, port, processes: [{ ...identity, role: 'hypervisor' }] });

/** The sleep of firecracker machines: its full snapshots, on files that the machine owns alone. */
export function firecrackerSleep(programs: Programs): SleepAbilityOptions['machine'] {
  const apiOf = ({ socketDir }: SleepGiven, signal: AbortSignal): FirecrackerApi => new FirecrackerApi(jailedSocket(socketDir, JAILED.api), signal);

  async function hibernate(given: SleepGiven, context: WorkContext): Promise<void> {
    const { record, directory, socketDir, save } = given;
    context.stage('hibernate.keep');
    const { bavail, bsize } = await statfs(directory);
    const needed = TIERS[record.tier].memoryMiB * 1024 * 1024 + SPARE_BYTES;
    if (bavail * bsize < needed) throw new VesselError('DISK_FULL', `${record.id} cannot be put to sleep: its memory takes ${needed} bytes on the disk`, { details: { needed, free: bavail * bsize } });
    const jail = jailOf(directory, programs);
    await mkdir(join(directory, FOLDER), { recursive: true, mode: 0o700 });
    await rm(frozen(directory, 'root'), { force: true });
    await link(join(jail.root, JAILED.root), frozen(directory, 'root'));
    const changeCounter = await changeCounterOf({ host: record.host, port: record.port, token: record.token }, context.signal);
    const api = apiOf(given, context.signal);
    try {
      context.stage('hibernate.stop');
      await save({ phase: 'hibernating', stage: 'hibernate.stop' });
      await api.patch('/vm', paused);
      context.stage('hibernate.memory');
      await api.put('/snapshot/create', { snapshot_type: 'Full', snapshot_path: FRESH.state, mem_file_path: FRESH.memory });
      context.stage('hibernate.seal');
      for (const name of ['state', 'memory'] as const) await seal(join(jail.root, FRESH[name]), frozen(directory, name));
      const disk = await open(join(directory, FC_FILES.data), 'r');
      await disk.sync().finally(() => disk.close());
      await syncFolder(join(directory, FOLDER));
      context.stage('hibernate.commit');
      const sizes = await Promise.all((['state', 'memory'] as const).map(async (name) => (await stat(frozen(directory, name))).size));
      await save({
        phase: 'hibernated', stage: 'hibernated', port: null,
        sleep: {
          at: Date.now(), bytes: sizes.reduce((sum, size) => sum + size, 0), changeCounter, accelerator: 'kvm', processor: await processorIdentity('kvm'),
          hypervisor: await firecrackerVersion(programs) ?? 'unknown', problem: null,
        },
      }, { durable: true });
    } catch (error) {
      const failure = VesselError.from(error);
      if (failure.code !== 'VM_DIED') {
        // Not under the signal that may have called this off.
        await go(apiOf(given, new AbortController().signal));
        await save({ phase: 'running', stage: 'ready', port: record.port, sleep: null });
      }
      throw failure;
    }
    context.stage('hibernate.end');
    await Promise.all(record.processes.map((identity) => endProcess(identity)));
    await removeNamespace(directory);
    await removeCgroups(jail, await cgroupVersion());
    await rm(socketDir, { recursive: true, force: true });
    await rm(jail.base, { recursive: true, force: true });
    await save({ processes: [] });
  }

  async function finish(given: ResumeGiven, at: Pick<VmRecord, 'host' | 'processes'> & { readonly port: number }, context: WorkContext): Promise<void> {
    const { record, directory, save } = given;
    if (record.token === null) throw new VesselError('INTERNAL', 'the record has no token');
    context.stage('resume.wake');
    const alive = async (): Promise<boolean> => (await Promise.all(at.processes.map((identity) => isAlive(identity)))).every((lives) => lives);
    await wakeGuest({ address: { host: at.host, port: at.port }, token: record.token, alive }, context, given.deadline);
    context.stage('resume.done');
    await save({ phase: 'running', stage: 'ready', sleep: null, startedAt: Date.now() }, { durable: true });
    // Its name goes; the machine maps the file as long as it lives.
    await rm(frozen(directory, 'memory'), { force: true });
  }

  async function resume(given: ResumeGiven, context: WorkContext): Promise<void> {
    const { record, directory, socketDir, user, save } = given;
    const { sleep } = record;
    if (user === null || sleep === null) throw new VesselError('RESUME_FAILED', 'the record says nothing of a frozen memory, or the host has no user for it');
    const version = await firecrackerVersion(programs);
    if (version !== sleep.hypervisor || await processorIdentity('kvm') !== sleep.processor) {
      throw new VesselError('RESUME_FAILED', `it fell asleep under firecracker ${sleep.hypervisor} on the processor of that time; now there is firecracker ${version ?? 'none'}`, {
        hint: 'A snapshot only fits the same firecracker and processor: bring them back, or discard the environment.',
      });
    }
    context.stage('resume.launch');
    await save({ phase: 'resuming', stage: 'resume.launch', owner: await ownIdentity(), bootId: await hostBootId() });
    const files = {
      [JAILED.root]: frozen(directory, 'root'), [JAILED.data]: join(directory, FC_FILES.data), [JAILED.token]: join(directory, FC_FILES.token),
      [JAILED.state]: frozen(directory, 'state'), [JAILED.memory]: frozen(directory, 'memory'),
    };
    const { stage } = context;
    // The stages of a launch are one of this way's.
    const machine = await launchFirecracker({ directory, socketDir, programs, user, agentPort: record.agentPort }, files, { ...context, stage: () => undefined }, (identity, network) => save(placeOf(identity, network)));
    stage('resume.restore');
    await load(machine);
    context.signal.throwIfAborted();
    stage('resume.commit');
    await save({ phase: 'resuming', stage: RESUME_COMMITTED }, { durable: true });
    stage(RESUME_COMMITTED);
    await go(machine.api);
    await finish(given, placeOf(machine.hypervisor, machine.network), context);
  }

  async function goOn(given: ResumeGiven, context: WorkContext): Promise<void> {
    const { record, save } = given;
    if (record.port === null) throw new VesselError('RESUME_FAILED', 'the record has no port');
    context.stage(RESUME_COMMITTED);
    await save({ phase: 'resuming', stage: RESUME_COMMITTED, owner: await ownIdentity() });
    await go(apiOf(given, context.signal));
    await finish(given, { host: record.host, port: record.port, processes: record.processes }, context);
  }

  return { hibernate, resume, goOn };
}
