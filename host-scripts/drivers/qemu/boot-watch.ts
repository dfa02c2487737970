import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { VesselError } from '#shared/errors.ts';
import { endProcess } from '../../system/end-process.ts';
import { cpuSeconds } from '../../system/process-identity.ts';
import type { WorkContext } from '../driver.ts';
import { machineLives } from './launch-machine.ts';
import type { Machine } from './launch-machine.ts';

/**
 * An emulated kernel starts its second processor with both spinning, interrupts off; on a crowded host that rendezvous was seen to
 * hang for good. A sound boot prints its first line after 2–4 s of processor time, however long those take by the clock.
 */
const SILENT_CPU_SECONDS = 25;
const TRIES = 4;
const POLL_MS = 50;

const sizeOf = async (path: string): Promise<number> => (await stat(path)).size;

/** Resolves to whether the guest printed anything before it used up the processor time that a boot may take. */
async function bootsSoundly(machine: Machine, saidSomething: () => Promise<boolean>, context: WorkContext, deadline: number): Promise<boolean> {
  while (!await saidSomething()) {
    context.signal.throwIfAborted();
    if (!await machineLives(machine)) throw new VesselError('VM_START_FAILED', 'the machine ended before its kernel came up');
    if (Date.now() > deadline) throw new VesselError('GUEST_TIMEOUT', 'the guest\'s kernel did not come up in time');
    if (await cpuSeconds(machine.hypervisor) > SILENT_CPU_SECONDS) return false;
    await delay(POLL_MS, undefined, { signal: context.signal });
  }
  return true;
}

/**
 * Launches a machine and makes sure that its kernel comes up; one that hangs is ended and launched anew. Throws VM_START_FAILED after
 * {@link TRIES} hangs.
 */
export async function launchUntilItBoots(launch: () => Promise<Machine>, consolePath: string, context: WorkContext, deadline: number): Promise<Machine> {
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    // A clone that was given up may have written to the same log.
    const before = await sizeOf(consolePath);
    const machine = await launch();
    await machine.qmp.execute('qmp_capabilities');
    if (await bootsSoundly(machine, async () => await sizeOf(consolePath) > before, context, deadline)) return machine;
    context.log('warn', `the guest's kernel hangs in early boot (try ${attempt} of ${TRIES}): starting the machine anew`);
    await endProcess(machine.hypervisor);
    await endProcess(machine.network);
  }
  throw new VesselError('VM_START_FAILED', `the guest's kernel hung in early boot ${TRIES} times`);
}
