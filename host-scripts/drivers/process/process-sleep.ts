import { VesselError } from '#shared/errors.ts';
import { changeCounterOf } from '../../guest/change-counter.ts';
import { wakeGuest } from '../../guest/introduce.ts';
import { RESUME_COMMITTED } from '../../records/vm-record.ts';
import type { VmRecord } from '../../records/vm-record.ts';
import { endProcess } from '../../system/end-process.ts';
import { freePort } from '../../system/free-port.ts';
import { hostBootId, isAlive, ownIdentity } from '../../system/process-identity.ts';
import type { ProcessIdentity } from '../../system/process-identity.ts';
import type { WorkContext } from '../driver.ts';
import type { ResumeGiven, SleepAbilityOptions } from '../sleep-ability.ts';

/** Starts the "guest" that lies in a folder. */
export type GuestStarter = (directory: string, port: number, token: string) => Promise<ProcessIdentity>;

/**
 * The sleep of the test driver: the agent ends and is started anew on the same folder, with the same token. Files are kept and processes inside are not: enough
 * for everything above a driver.
 */
export function processSleep(startGuest: GuestStarter): SleepAbilityOptions['machine'] {
  async function finish({ record, deadline, save }: ResumeGiven, port: number, processes: VmRecord['processes'], context: WorkContext): Promise<void> {
    context.stage('resume.wake');
    const alive = async (): Promise<boolean> => (await Promise.all(processes.map((identity) => isAlive(identity)))).every((lives) => lives);
    await wakeGuest({ address: { host: record.host, port }, token: record.token ?? '', alive }, context, deadline);
    context.stage('resume.done');
    await save({ phase: 'running', stage: 'ready', sleep: null, startedAt: Date.now() });
  }
  return {
    async hibernate({ record, save }, context) {
      context.stage('hibernate.stop');
      const changeCounter = await changeCounterOf({ host: record.host, port: record.port, token: record.token }, context.signal);
      await save({ phase: 'hibernating', stage: 'hibernate.stop' });
      context.stage('hibernate.commit');
      await save({ phase: 'hibernated', stage: 'hibernated', port: null, sleep: { at: Date.now(), bytes: 0, changeCounter, accelerator: 'tcg', processor: 'process', hypervisor: 'process', problem: null } });
      context.stage('hibernate.end');
      await Promise.all(record.processes.map((identity) => endProcess(identity)));
      await save({ processes: [] });
    },
    async resume(given, context) {
      const { record, directory, save } = given;
      if (record.token === null) throw new VesselError('INTERNAL', 'the record has no token');
      context.stage('resume.launch');
      await save({ phase: 'resuming', stage: 'resume.launch', owner: await ownIdentity(), bootId: await hostBootId() });
      const port = await freePort();
      const processes: VmRecord['processes'] = [{ ...await startGuest(directory, port, record.token), role: 'guest-agent' }];
      await save({ processes, port });
      context.stage('resume.commit');
      await save({ phase: 'resuming', stage: RESUME_COMMITTED });
      context.stage(RESUME_COMMITTED);
      await finish(given, port, processes, context);
    },
    async goOn(given, context) {
      const { record } = given;
      if (record.port === null) throw new VesselError('RESUME_FAILED', 'the record has no port');
      await finish(given, record.port, record.processes, context);
    },
  };
}
