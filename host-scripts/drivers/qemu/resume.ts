import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VesselError } from '#shared/errors.ts';
import { wakeGuest } from '../../guest/introduce.ts';
import { ensureIsolation } from '../../network/isolation.ts';
import { hostBootId, isAlive, ownIdentity } from '../../system/process-identity.ts';
import type { ProcessIdentity } from '../../system/process-identity.ts';
import { RESUME_COMMITTED } from '../../records/vm-record.ts';
import type { VmRecord } from '../../records/vm-record.ts';
import { freePort } from '../../system/free-port.ts';
import { processorIdentity } from '../../templates/template-key.ts';
import type { WorkContext } from '../driver.ts';
import type { ResumeGiven } from '../sleep-ability.ts';
import { connectQmp } from './connect-qmp.ts';
import { frozenBase, frozenMemory } from './frozen-files.ts';
import { exists } from '../../system/exists.ts';
import { goOn } from './hibernate.ts';
import { launchMachine, makeSocketDir } from './launch-machine.ts';
import { DESCRIPTOR } from './machine-arguments.ts';
import { MachineFiles } from './machine-files.ts';
import { restore } from './migration.ts';
import { VM_FILES } from './start-machine.ts';

/** What QEMU cannot notice itself: a guest that goes on with another processor below it would break later. */
async function requireSameProcessor({ sleep }: VmRecord): Promise<void> {
  if (sleep === null || await processorIdentity(sleep.accelerator) === sleep.processor) return;
  throw new VesselError('RESUME_FAILED', 'this host has another processor, or other microcode, than when the environment fell asleep', {
    hint: 'Its memory only fits the processor it was frozen on. Discard it, or bring the processor back.',
  });
}

/** Waits for the guest and writes down that it runs; then its frozen memory is of no use any more. */
async function finish(given: ResumeGiven, processes: VmRecord['processes'], port: number, context: WorkContext): Promise<void> {
  const { record, directory, save } = given;
  if (record.token === null) throw new VesselError('INTERNAL', 'the record has no token');
  const alive = async (): Promise<boolean> => (await Promise.all(processes.map((identity: ProcessIdentity) => isAlive(identity)))).every((lives) => lives);
  context.stage('resume.wake');
  await wakeGuest({ address: { host: '127.0.0.1', port }, token: record.token, alive }, context, given.deadline);
  context.stage('resume.done');
  await save({ phase: 'running', stage: 'ready', sleep: null, startedAt: Date.now() }, { durable: true });
  await rm(frozenMemory(directory), { force: true });
}

/** Lets a machine go on that stands still because whoever was putting it to sleep, or waking it up, went away. */
export async function continueMachine(given: ResumeGiven, context: WorkContext): Promise<void> {
  const { record, socketDir, save } = given;
  if (record.port === null) throw new VesselError('RESUME_FAILED', 'the record has no port');
  const qmp = await connectQmp(socketDir);
  context.stage(RESUME_COMMITTED);
  await save({ phase: 'resuming', stage: RESUME_COMMITTED, owner: await ownIdentity() });
  await goOn(qmp);
  qmp.close();
  await finish(given, record.processes, record.port, context);
}

/**
 * Starts a hypervisor from a frozen machine's memory and disks. Until the stage {@link RESUME_COMMITTED} the guest stands still and nothing of the frozen
 * machine changes: a failure leaves it asleep. The caller has ended what an earlier attempt left.
 */
export async function resumeMachine(given: ResumeGiven, context: WorkContext): Promise<void> {
  const { record, directory, socketDir, user: service, save } = given;
  const { sleep } = record;
  if (sleep === null) throw new VesselError('RESUME_FAILED', 'the record says nothing of a frozen memory');
  await requireSameProcessor(record);
  context.stage('resume.launch');
  await save({ phase: 'resuming', stage: 'resume.launch', owner: await ownIdentity(), bootId: await hostBootId() });
  const isolated = service === null ? Promise.resolve(false) : ensureIsolation(service);
  // Awaited before the guest runs; until then a failure must not count as unhandled.
  isolated.catch(() => undefined);
  const at = (name: string): string => join(directory, name);
  const hasTemplate = await exists(frozenBase(directory, 'templateDisk'));
  const user = await makeSocketDir(socketDir, service);
  await using files = new MachineFiles(user);
  await Promise.all([
    files.write('data', at(VM_FILES.disk), 'r+'), files.write('console', at(VM_FILES.console), 'a'), files.write('log', at(VM_FILES.hypervisor), 'a'),
    files.read('root', frozenBase(directory, 'root')), files.read('dataBase', frozenBase(directory, 'dataBase')), files.read('state', frozenMemory(directory)),
    ...(hasTemplate ? [files.read('templateDisk', frozenBase(directory, 'templateDisk'))] : []),
  ]);
  const processes: VmRecord['processes'] = [];
  const port = await freePort();
  const machine = await launchMachine({
    machine: {
      tier: record.tier, accelerator: sleep.accelerator, name: record.id, memory: 'plain', kernelCommandLine: null,
      dataLayers: [{ role: 'data', format: 'qcow2' }, ...(hasTemplate ? [{ role: 'templateDisk', format: 'qcow2' } as const] : []), { role: 'dataBase', format: 'raw' }],
    },
    files, port, agentPort: record.agentPort, socketDir, user, started: (role, identity) => { processes.push({ ...identity, role }); },
  });
  await save({ processes, port, uid: user?.uid ?? null });
  context.stage('resume.restore');
  await restore(machine.qmp, DESCRIPTOR.state, 'travels', context.signal);
  await isolated;
  context.signal.throwIfAborted();
  context.stage('resume.commit');
  await save({ phase: 'resuming', stage: RESUME_COMMITTED }, { durable: true });
  context.stage(RESUME_COMMITTED);
  await machine.qmp.execute('cont');
  await finish(given, processes, port, context);
}
