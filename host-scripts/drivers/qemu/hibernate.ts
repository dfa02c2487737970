import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { TIERS } from '#shared/project.ts';
import { changeCounterOf } from '../../guest/change-counter.ts';
import { endProcess } from '../../system/end-process.ts';
import { machineUserOf } from '../../system/machine-user.ts';
import { processorIdentity } from '../../templates/template-key.ts';
import type { WorkContext } from '../driver.ts';
import type { SleepGiven } from '../sleep-ability.ts';
import { connectQmp } from './connect-qmp.ts';
import { frozenMemory, keepBases, sealMemory } from './frozen-files.ts';
import { removeSocketDir } from './launch-machine.ts';
import { quit, sendState } from './migration.ts';
import type { QmpClient } from './qmp-client.ts';
import { VM_FILES } from './start-machine.ts';

/** Beyond the guest's whole memory, which its frozen form never exceeds by more than its headers. */
const SPARE_BYTES = 64 * 1024 * 1024;

const StatusSchema = z.object({ status: z.string(), running: z.boolean() });
const KvmSchema = z.object({ enabled: z.boolean() });
const VersionSchema = z.object({ qemu: z.object({ major: z.number(), minor: z.number(), micro: z.number() }) });

/** Lets a machine that stands still go on; a no-op for one that runs. */
export async function goOn(qmp: QmpClient): Promise<void> {
  const { running } = StatusSchema.parse(await qmp.execute('query-status'));
  if (!running) await qmp.execute('cont');
}

async function requireSpace({ directory, record }: SleepGiven): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const needed = TIERS[record.tier].memoryMiB * 1024 * 1024 + SPARE_BYTES;
  if (bavail * bsize < needed) throw new VesselError('DISK_FULL', `${record.id} cannot be put to sleep: its memory may need ${needed} bytes on the disk`, { details: { needed, free: bavail * bsize } });
}

/**
 * Writes a running machine's memory to its folder and ends it. Until the record says `hibernated`, on the disk for good, the machine only stands
 * still: a failure lets it go on, and after a crash whoever resumes or hibernates it does.
 */
export async function hibernateMachine(given: SleepGiven, context: WorkContext): Promise<void> {
  const { record, directory, socketDir, save } = given;
  const hypervisor = record.processes.find(({ role }) => role === 'hypervisor');
  if (hypervisor === undefined) throw new VesselError('HIBERNATION_FAILED', 'the record names no hypervisor');
  context.stage('hibernate.keep');
  await requireSpace(given);
  await keepBases(directory, hypervisor.pid, context.signal);
  const changeCounter = await changeCounterOf({ host: record.host, port: record.port, token: record.token }, context.signal);
  const qmp = await connectQmp(socketDir);
  const part = `${frozenMemory(directory)}.part`;
  try {
    const { enabled } = KvmSchema.parse(await qmp.execute('query-kvm'));
    const { qemu } = VersionSchema.parse(await qmp.execute('query-version'));
    const accelerator = enabled ? 'kvm' : 'tcg';
    context.stage('hibernate.stop');
    await save({ phase: 'hibernating', stage: 'hibernate.stop' });
    // An earlier attempt may have been broken off after its transfer, which QEMU does not repeat before it ran again.
    await goOn(qmp);
    await qmp.execute('stop');
    context.stage('hibernate.memory');
    await sendState(qmp, { path: part, socketDir, user: given.user === null ? null : machineUserOf(given.user, record.uid), memory: 'travels', signal: context.signal });
    context.stage('hibernate.seal');
    const bytes = await sealMemory(directory, part, join(directory, VM_FILES.disk));
    context.stage('hibernate.commit');
    await save({
      phase: 'hibernated', stage: 'hibernated', port: null,
      sleep: { at: Date.now(), bytes, changeCounter, accelerator, processor: await processorIdentity(accelerator), hypervisor: `${qemu.major}.${qemu.minor}.${qemu.micro}`, problem: null },
    }, { durable: true });
  } catch (error) {
    await rm(part, { force: true });
    const failure = VesselError.from(error);
    if (failure.code !== 'VM_DIED') {
      await qmp.execute('migrate_cancel');
      await goOn(qmp);
      await save({ phase: 'running', stage: 'ready', port: record.port, sleep: null });
    }
    qmp.close();
    throw failure;
  }
  context.stage('hibernate.end');
  await quit(qmp);
  qmp.close();
  await Promise.all(record.processes.map((identity) => endProcess(identity)));
  await removeSocketDir(socketDir);
  await save({ processes: [] });
}
