import { VesselError } from '#shared/errors.ts';
import type { Vm } from '#shared/host-protocol.ts';
import type { RecordStore } from '../records/record-store.ts';
import { RESUME_COMMITTED } from '../records/vm-record.ts';
import type { VmRecord } from '../records/vm-record.ts';
import { withFileLock } from '../system/file-lock.ts';
import { hostBootId, isAlive } from '../system/process-identity.ts';
import type { RunUser } from '../system/run-user.ts';
import type { HibernateAbility, WorkContext } from './driver.ts';
import { endVmProcesses } from './remove-vm.ts';
import type { Recognition } from './remove-vm.ts';

export type SleepGiven = {
  readonly record: VmRecord;
  readonly directory: string;
  readonly socketDir: string;
  readonly user: RunUser | null;
  readonly save: (change: Partial<VmRecord>, options?: { readonly durable: boolean }) => Promise<void>;
};
export type ResumeGiven = SleepGiven & { readonly deadline: number };

export type SleepAbilityOptions = {
  readonly records: RecordStore;
  readonly user: () => Promise<RunUser | null>;
  /**
   * What differs between drivers. `hibernate` records each step and lets the machine go on when it fails; `resume` leaves the frozen machine untouched until
   * it has recorded {@link RESUME_COMMITTED}; `goOn` takes up a machine that stands still since a crash.
   */
  readonly machine: {
    readonly hibernate: (given: SleepGiven, context: WorkContext) => Promise<void>;
    readonly resume: (given: ResumeGiven, context: WorkContext) => Promise<void>;
    readonly goOn: (given: ResumeGiven, context: WorkContext) => Promise<void>;
  };
  readonly recognition: (id: string) => Recognition | Promise<Recognition>;
  readonly inspect: (id: string) => Promise<Vm>;
};

/** No process has this number: nobody is at work on the machine any more. */
const NOBODY = { pid: 0, startTicks: 0 } as const;

/** Puts machines to sleep and wakes them; one call at a time for each machine, whichever process makes it. */
export function sleepAbility(options: SleepAbilityOptions): HibernateAbility {
  const { records, inspect, machine } = options;

  async function given(id: string): Promise<SleepGiven> {
    const stored = await records.read(id);
    if (stored === null) throw new VesselError('VM_NOT_FOUND', `there is no environment ${id} on this host`);
    if (stored.record === null) throw new VesselError('VM_NOT_FOUND', `${id} cannot be used: ${stored.problem ?? ''}`);
    let { record } = stored;
    return {
      record, directory: stored.directory, socketDir: record.socketDir ?? (await options.recognition(id)).socketDir, user: await options.user(),
      save: (change, how) => records.write(record = { ...record, ...change }, how),
    };
  }

  async function alone<T>(id: string, context: WorkContext, work: (known: SleepGiven) => Promise<T>): Promise<T> {
    // Named errors first: the lock lies in the machine's folder.
    const { directory } = await given(id);
    return withFileLock(`${directory}/sleep.lock`, context.signal, async () => work(await given(id)));
  }

  /** Ends what an attempt left behind, before it could change anything. */
  const endLeftovers = async (known: SleepGiven): Promise<void> => endVmProcesses({ id: known.record.id, directory: known.directory, record: known.record, problem: null }, await options.recognition(known.record.id));
  const stands = async ({ phase, stage, bootId, processes }: VmRecord): Promise<boolean> => bootId === await hostBootId() && (phase === 'hibernating' || (phase === 'resuming' && stage === RESUME_COMMITTED))
    && processes.length > 0 && (await Promise.all(processes.map((identity) => isAlive(identity)))).every((lives) => lives);

  return {
    hibernate: (id, context) => alone(id, context, async (known) => {
      const { state, problem } = await inspect(id);
      if (known.record.phase === 'hibernated') {
        // Its hypervisor may have survived the one that was ending it.
        await endLeftovers(known);
        return inspect(id);
      }
      if (state !== 'running' && !await stands(known.record)) throw new VesselError('HIBERNATION_FAILED', `${id} is ${state}${problem === null ? '' : `: ${problem}`}`, { hint: 'Only an environment that runs can be put to sleep.' });
      await machine.hibernate(known, context);
      return inspect(id);
    }),
    resume: (id, deadlineMs, context) => alone(id, context, async (known) => {
      const deadline = Date.now() + deadlineMs;
      const { state, problem } = await inspect(id);
      if (state === 'running') return inspect(id);
      if (await stands(known.record)) {
        try {
          await machine.goOn({ ...known, deadline }, context);
        } catch (error) {
          throw await sleepOn(id, VesselError.from(error));
        }
        return inspect(id);
      }
      // `starting`: this process itself, or one that holds no lock any more, left it there.
      if (known.record.sleep === null || (known.record.phase === 'resuming' && known.record.stage === RESUME_COMMITTED)) {
        throw new VesselError('RESUME_FAILED', `${id} does not sleep: it is ${state}${problem === null ? '' : ` (${problem})`}`, { hint: 'Open the project anew: its last save is safe.', retryable: false });
      }
      await endLeftovers(known);
      try {
        await machine.resume({ ...known, deadline }, context);
      } catch (error) {
        throw await sleepOn(id, VesselError.from(error));
      }
      return inspect(id);
    }),
  };

  /** After a failed try: asleep as before when the guest had not gone on yet; else left to the next try, which takes it up where it is. */
  async function sleepOn(id: string, failure: VesselError): Promise<VesselError> {
    const known = await given(id).catch((error: unknown) => VesselError.from(error));
    // Removed meanwhile: nothing is left to say.
    if (known instanceof VesselError || known.record.sleep === null) return failure;
    if (known.record.stage === RESUME_COMMITTED) {
      await known.save({ owner: NOBODY });
      return failure;
    }
    await endLeftovers(known);
    await known.save({ phase: 'hibernated', stage: 'hibernated', processes: [], port: null, sleep: { ...known.record.sleep, problem: failure.code === 'CANCELLED' ? null : failure.message } }, { durable: true });
    if (['CANCELLED', 'RESUME_FAILED'].includes(failure.code)) return failure;
    return new VesselError('RESUME_FAILED', `the hypervisor could not take up the frozen machine: ${failure.message}`, { cause: failure, details: { cause: failure.code } });
  }
}
